import { resolve } from 'node:path';
import { parseDocument } from './document';
import { findConfig } from './find';
import { interpolate } from './interpolate';
import { ConfigError } from './problem';

export interface Located {
  file: string;
  dir: string;
  stateDir: string;
  name: string;
}

const DEFAULT_STATE_DIR = '.botctl';
const DEFAULT_NAME = 'bot';

/**
 * Where the supervisor of this config would be. For commands that only talk to it: cheap, and content with a config
 * whose other parts are broken.
 * @throws ConfigError
 */
export async function locateState(options: {
  cwd: string;
  file?: string | undefined;
  env: NodeJS.ProcessEnv;
}): Promise<Located> {
  const { file, dir, text, root } = await findConfig(options);
  const document = parseDocument(file, text, root);
  if (Array.isArray(document)) throw new ConfigError(document);
  let stateDir = DEFAULT_STATE_DIR;
  let name = DEFAULT_NAME;
  document.toValue((value, path) => {
    const key = path.join('.');
    if (key === 'stateDir') stateDir = interpolate(value, options.env, dir).text;
    if (key === 'bot.name') name = interpolate(value, options.env, dir).text;
    return value;
  });
  return { file, dir, stateDir: resolve(dir, stateDir), name };
}
