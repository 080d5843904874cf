import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { cleanEnv, giveTo } from '../../data/embedded/account';
import { findPostgresBinaries } from '../../data/embedded/binaries';
import { type DataPlace, placeData } from '../../data/embedded/data-place';
import { endGuard } from '../../data/embedded/guard';
import { ROLE } from '../../data/embedded/init-cluster';
import { EmbeddedPostgres } from '../../data/embedded/postgres';
import { isRunning, sendSignal } from '../../data/embedded/process-identity';
import { ServerFolder } from '../../data/embedded/server-folder';
import { BackupError } from './target';

const ENDED_MS = 10_000;
const LOOK_MS = 50;
/** A data folder is refused by Postgres when others can read it. */
const FOLDER_MODE = 0o700;

/** Puts the data folder of a physical backup where the embedded server of `dir` keeps its own. There must be none yet. */
export async function unpackServer(dir: string, tar: Readable, postgres: number, signal: AbortSignal): Promise<void> {
  const folder = new ServerFolder(dir);
  folder.prepare();
  const place = placeData(folder, () => undefined);
  if (existsSync(place.data)) throw new BackupError(`There is data in ${place.data} already.`, 'Move it away first.');
  const binaries = await findPostgresBinaries({ dataMajor: postgres, account: place.account, copyTo: place.root });
  const temp = `${place.data}.restore`;
  rmSync(temp, { recursive: true, force: true });
  try {
    await unpack(tar, temp, signal);
    if (place.account !== null) giveTo(place.account, temp);
    // The password may be another one by now, or be lost.
    await setPassword(temp, binaries.bin, place, folder.password(), signal);
    renameSync(temp, place.data);
  } catch (error) {
    rmSync(temp, { recursive: true, force: true });
    throw error;
  }
}

/** Unpacks the tar of a data folder. @throws Error of the stream or the disk */
export async function unpack(tar: Readable, data: string, signal: AbortSignal): Promise<void> {
  mkdirSync(data, { recursive: true, mode: FOLDER_MODE });
  await pipeline(tar, extract({ cwd: data, strict: true, preserveOwner: false }), { signal });
  if (!existsSync(join(data, 'PG_VERSION'))) throw new BackupError('The backup holds no data folder of Postgres.');
}

/** A server of its own on the data of a physical backup, to be looked at and thrown away. */
export class ScratchServer {
  private constructor(
    private readonly dir: string,
    private readonly server: EmbeddedPostgres,
    /** One per database shard. */
    readonly urls: readonly string[],
  ) {}

  static async start(
    dir: string,
    backup: { tar: Readable; postgres: number; shards: number },
    signal: AbortSignal,
  ): Promise<ScratchServer> {
    await discardScratch(dir);
    try {
      await unpackServer(dir, backup.tar, backup.postgres, signal);
      const server = new EmbeddedPostgres({ dir, shards: backup.shards, port: 0, log: () => undefined });
      const { urls } = await server.start(signal);
      return new ScratchServer(dir, server, urls);
    } catch (error) {
      await discardScratch(dir);
      throw error;
    }
  }

  async end(): Promise<void> {
    await this.server.stop().catch(() => undefined);
    await discardScratch(this.dir);
  }
}

/** Ends and removes what there is of a scratch server, also one whose owner was killed. */
export async function discardScratch(dir: string): Promise<void> {
  if (!existsSync(dir)) return;
  const folder = new ServerFolder(dir);
  const { server } = folder;
  endGuard(folder);
  if (server !== null) {
    sendSignal(server, 'SIGQUIT');
    const until = performance.now() + ENDED_MS;
    while (isRunning(server) && performance.now() < until) await new Promise((done) => setTimeout(done, LOOK_MS));
    sendSignal(server, 'SIGKILL');
  }
  const elsewhere = folder.read('location');
  if (elsewhere !== null) rmSync(elsewhere, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
}

/** Scratch servers that nobody looks at any more. */
export async function discardAllScratch(parent: string, prefix: string): Promise<void> {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    if (basename(name).startsWith(prefix)) await discardScratch(join(parent, name));
  }
}

/** In single-user mode; the statement goes by standard input, since arguments can be seen by all. */
async function setPassword(
  data: string,
  bin: string,
  { account, root }: DataPlace,
  password: string,
  signal: AbortSignal,
): Promise<void> {
  const args = [
    '--single',
    '-D',
    data,
    '-c',
    'password_encryption=scram-sha-256',
    '-c',
    'log_statement=none',
    'postgres',
  ];
  const child = spawn(join(bin, 'postgres'), args, {
    cwd: root,
    env: cleanEnv(),
    stdio: ['pipe', 'ignore', 'pipe'],
    signal,
    ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-4_000)));
  child.stdin.on('error', () => undefined);
  child.stdin.end(`ALTER ROLE ${ROLE} PASSWORD '${password}'\n`);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const failed = said.split('\n').filter((line) => /(ERROR|FATAL|PANIC):/.test(line));
  if (code === 0 && failed.length === 0) return;
  const lines = (failed.length > 0 ? failed : said.trim().split('\n')).slice(-2).join(' | ');
  throw new BackupError(`Postgres cannot start on the data of ${dirname(data)}: ${lines.replaceAll(password, '…')}`);
}
