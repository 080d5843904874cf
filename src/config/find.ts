import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { cosmiconfig, type Loader } from 'cosmiconfig';
import type { Path } from './document';
import { ConfigError } from './problem';

/** Where configs are looked for, from the current folder upwards. */
export const SEARCH_PLACES = [
  'botctl.yaml',
  'botctl.yml',
  'botctl.json',
  '.botctlrc',
  '.botctlrc.yaml',
  '.botctlrc.yml',
  '.botctlrc.json',
  'config/botctl.yaml',
  'config/botctl.yml',
  'package.json',
] as const;

export interface FoundConfig {
  file: string;
  dir: string;
  text: string;
  /** Where in the file the config begins. */
  root: Path;
}

interface Loaded {
  text: string;
}

const asText: Loader = (_file, text): Loaded => ({ text });

/** package.json counts only when it has our key. */
const asPackage: Loader = (file, text) => {
  if (!file.endsWith('package.json')) return { text };
  try {
    const { botctl } = JSON.parse(text) as { botctl?: unknown };
    return botctl === undefined ? {} : { botctl: { text } };
  } catch {
    return {}; // somebody else's mistake
  }
};

/**
 * Finds the config file, or reads the one that is named.
 * @throws ConfigError when there is none
 */
export async function findConfig(options: { cwd: string; file?: string | undefined }): Promise<FoundConfig> {
  const { cwd } = options;
  if (options.file !== undefined) return readNamed(resolve(cwd, options.file));
  const explorer = cosmiconfig('botctl', {
    searchPlaces: [...SEARCH_PLACES],
    searchStrategy: 'global',
    loaders: { noExt: asText, '.yaml': asText, '.yml': asText, '.json': asPackage },
  });
  const found = await explorer.search(cwd);
  if (found === null || found.config === undefined) {
    throw new ConfigError([
      {
        file: cwd,
        line: 0,
        column: 0,
        key: '',
        message: 'no botctl.yaml here, nor in a folder above',
        hint: 'Make one with `botctl init`, or name it with --config FILE',
      },
    ]);
  }
  return placed(found.filepath, (found.config as Partial<Loaded>).text ?? '');
}

function readNamed(file: string): FoundConfig {
  try {
    return placed(file, readFileSync(file, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EISDIR'
          ? 'this is a folder, not a file'
          : `cannot be read (${code ?? 'unknown error'})`;
    throw new ConfigError([
      { file, line: 0, column: 0, key: '', message: reason, hint: 'Check --config, or make one with `botctl init`' },
    ]);
  }
}

function placed(file: string, text: string): FoundConfig {
  const isPackage = file.endsWith('package.json');
  const dir = dirname(file);
  return { file, dir, text, root: isPackage ? ['botctl'] : [] };
}
