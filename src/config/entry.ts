import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

const CANDIDATES = ['bot', 'index', 'src/bot', 'src/index', 'src/main', 'dist/bot', 'dist/index', 'main', 'app'];
const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];
const RUNNABLE = /\.[cm]?[jt]s$/;

/** The file that probably logs the bot in: what package.json names, else one of the usual names. null: none is there. */
export function detectEntry(dir: string): string | null {
  const main = mainOf(dir);
  if (main !== null && entryProblem(join(dir, main)) === null) return main;
  for (const candidate of CANDIDATES) {
    for (const extension of EXTENSIONS) {
      if (existsSync(join(dir, candidate + extension))) return `./${candidate}${extension}`;
    }
  }
  return null;
}

/** Why a file cannot be the entry, or null when it can. `shown` stands for it in the message. */
export function entryProblem(file: string, shown = file): { message: string; hint: string } | null {
  let isFile: boolean;
  try {
    isFile = statSync(file).isFile();
  } catch {
    return { message: `there is no file ${shown}`, hint: 'Paths are relative to the config file' };
  }
  if (!isFile) return { message: `${shown} is a folder`, hint: 'Name the file that calls client.login()' };
  try {
    accessSync(file, constants.R_OK);
  } catch {
    return { message: `${shown} may not be read by this user`, hint: 'Check its permissions' };
  }
  if (!RUNNABLE.test(file)) {
    return {
      message: `${shown} is neither JavaScript nor TypeScript`,
      hint: 'Expected .js, .mjs, .cjs, .ts, .mts or .cts',
    };
  }
  return null;
}

/** The folder of all the code: the nearest one above the entry with a package.json; else the config's, if it is above. */
export function projectRoot(entry: string, configDir: string): string {
  const inside = entry.startsWith(configDir + sep);
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (inside && folder === configDir) break;
  }
  return inside ? configDir : dirname(entry);
}

function mainOf(dir: string): string | null {
  try {
    const { main } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { main?: unknown };
    return typeof main === 'string' ? main : null;
  } catch {
    return null;
  }
}
