import { resolve } from 'node:path';
import { findConfig, type FoundConfig } from './find';
import { ConfigError } from './problem';

export interface Located {
  file: string;
  dir: string;
  stateDir: string;
  /** Name of the bot; needs the whole file, so only when it is asked for. */
  readName: () => Promise<string>;
}

const DEFAULT_STATE_DIR = '.botctl';
const DEFAULT_NAME = 'bot';

/** The key at the beginning of a line of YAML, with a value that can only mean itself. */
const PLAIN_STATE_DIR = /^stateDir:[ \t]+(["']?)([\w./-]+)\1[ \t]*(?:#.*)?\r?$/m;
const ANY_STATE_DIR = /stateDir/;

/**
 * Where the supervisor of this config would be. For commands that only talk to it: cheap (the YAML parser is loaded
 * only when it is needed), and content with a config whose other parts are broken.
 * @throws ConfigError
 */
export async function locateState(options: {
  cwd: string;
  file?: string | undefined;
  env: NodeJS.ProcessEnv;
}): Promise<Located> {
  const found = await findConfig(options);
  const { file, dir, text } = found;
  const plain = PLAIN_STATE_DIR.exec(text)?.[2];
  const known = plain ?? (ANY_STATE_DIR.test(text) ? null : DEFAULT_STATE_DIR);
  const stateDir = known ?? (await readKey(found, options.env, 'stateDir')) ?? DEFAULT_STATE_DIR;
  const readName = async (): Promise<string> => {
    try {
      return (await readKey(found, options.env, 'bot.name')) ?? DEFAULT_NAME;
    } catch {
      return DEFAULT_NAME; // a broken config has no name
    }
  };
  return { file, dir, stateDir: resolve(dir, stateDir), readName };
}

async function readKey(
  { file, dir, text, root }: FoundConfig,
  env: NodeJS.ProcessEnv,
  key: string,
): Promise<string | null> {
  const { parseDocument } = await import('./document.js');
  const { interpolate } = await import('./interpolate.js');
  const document = parseDocument(file, text, root);
  if (Array.isArray(document)) throw new ConfigError(document);
  const value = document.valueAt(key.split('.'));
  return typeof value === 'string' ? interpolate(value, env, dir).text : null;
}
