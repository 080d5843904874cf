import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { cleanEnv } from '../../data/embedded/account';
import { machineSources } from '../../data/embedded/binaries';
import { BackupError } from './target';

const run = promisify(execFile);

/** A folder with pg_dump and pg_restore. */
export interface PgTools {
  bin: string;
  /** Major version. */
  version: number;
}

/** Address of a database and how to get in, for programs of Postgres. */
export interface PgDoor {
  url: string;
  /** Files of backup.tls; absent: as the URL says. */
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined; rejectUnauthorized: boolean };
}

const TRY_TIMEOUT_MS = 10_000;
const MAX_SAID = 4_000;

/** pg_dump and pg_restore of this machine, oldest first. */
export async function findPgTools(): Promise<PgTools[]> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
  const folders = [...new Set([...machineSources().map(({ bin }) => bin), ...onPath])];
  const found = await Promise.all(folders.filter((bin) => existsSync(join(bin, 'pg_dump'))).map(tryTools));
  return found.filter((tools) => tools !== null).sort((a, b) => a.version - b.version);
}

/**
 * The tools that fit a server: pg_dump reads older servers, never newer ones.
 * @throws BackupError that says what to install
 */
export function toolsFor(server: number, tools: readonly PgTools[]): PgTools {
  return choose(server, tools, `A server of version ${server} needs pg_dump ${server} or newer`);
}

/**
 * The tools that read a dump: pg_restore reads dumps of its version and older ones.
 * @param id of the backup @throws BackupError that says what to install
 */
export function toolsToRead(id: string, postgres: number, tools: readonly PgTools[]): PgTools {
  return choose(
    postgres,
    tools,
    `Backup ${id} is of Postgres ${postgres}, which needs pg_restore ${postgres} or newer`,
  );
}

function choose(wanted: number, tools: readonly PgTools[], need: string): PgTools {
  const fitting = tools.find(({ version }) => version >= wanted);
  if (fitting !== undefined) return fitting;
  const newest = tools.at(-1);
  const have = newest === undefined ? 'there is none on this machine' : `the newest one here is ${newest.version}`;
  throw new BackupError(`${need}; ${have}.`, `Install it (Debian: apt install postgresql-client-${wanted}).`);
}

async function tryTools(bin: string): Promise<PgTools | null> {
  try {
    const { stdout } = await run(join(bin, 'pg_dump'), ['--version'], { timeout: TRY_TIMEOUT_MS, env: cleanEnv() });
    const version = Number(/(\d+)/.exec(stdout)?.[1]);
    return version > 0 && existsSync(join(bin, 'pg_restore')) ? { bin, version } : null;
  } catch {
    return null;
  }
}

/** Passwords go by the environment, which only our own user can read: never by arguments, which all can. */
export function doorEnv({ url, tls }: PgDoor): NodeJS.ProcessEnv {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const env: NodeJS.ProcessEnv = {
    ...cleanEnv(),
    PGHOST: searchParams.get('host') ?? decodeURIComponent(hostname).replace(/^\[|\]$/g, ''),
    PGPORT: port === '' ? (searchParams.get('port') ?? '5432') : port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    PGCONNECT_TIMEOUT: '10',
    PGAPPNAME: 'botctl backup',
  };
  const set = (name: string, value: string | null | undefined): void => {
    if (value != null && value !== '') env[name] = value;
  };
  set('PGSSLMODE', searchParams.get('sslmode'));
  set('PGSSLROOTCERT', searchParams.get('sslrootcert'));
  if (tls !== undefined) {
    set('PGSSLMODE', tls.rejectUnauthorized ? 'verify-full' : 'require');
    set('PGSSLROOTCERT', tls.ca ?? (tls.rejectUnauthorized ? 'system' : null));
    set('PGSSLCERT', tls.cert);
    set('PGSSLKEY', tls.key);
  }
  return env;
}

export interface ToolRun {
  child: ChildProcess & { stdin: Writable; stdout: Readable };
  /** Rejects with what the program said when it ends with an error, or was ended by the signal. */
  ended: Promise<void>;
}

/** Starts pg_dump or pg_restore; it ends with the signal. */
export function startTool(
  { bin }: PgTools,
  name: 'pg_dump' | 'pg_restore',
  args: readonly string[],
  door: PgDoor,
  signal: AbortSignal,
): ToolRun {
  const child = spawn(join(bin, name), args, { env: doorEnv(door), stdio: ['pipe', 'pipe', 'pipe'], signal });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-MAX_SAID)));
  child.stdin.on('error', () => undefined); // it ended before it had read everything: its exit code tells
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, by) => {
      if (code === 0) resolve();
      else {
        const hint = /No space left on device/.test(said) ? 'Free space on the disk of that server.' : undefined;
        reject(new BackupError(`${name} failed (${by ?? `exit code ${code ?? 'unknown'}`}): ${lastLines(said)}`, hint));
      }
    });
  });
  ended.catch(() => undefined); // awaited by whoever uses the streams
  return { child, ended };
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ') || 'it said nothing';
}
