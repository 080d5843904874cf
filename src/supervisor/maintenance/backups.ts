import { join } from 'node:path';
import type { Client } from 'pg';
import type { Config } from '../../config';
import { ROLE } from '../../data/embedded/init-cluster';
import { LOOPBACK } from '../../data/embedded/port';
import { databaseName } from '../../data/embedded/postgres-client';
import { isRunning } from '../../data/embedded/process-identity';
import { ServerFolder } from '../../data/embedded/server-folder';
import { connectClient } from '../../data/pool/connect';
import { BackupMaker } from '../../maintenance/backup/make';
import type { PgDoor } from '../../maintenance/backup/pg-tools';
import { BackupStore } from '../../maintenance/backup/store';
import { FolderTarget } from '../../maintenance/backup/target-folder';
import { S3Target } from '../../maintenance/backup/target-s3';
import { BackupVerifier } from '../../maintenance/backup/verify';
import { readTls } from '../data/tls';

/** Scratch servers and the like, in the state folder. */
const SCRATCH_DIR = 'scratch';

export interface Backups {
  store: BackupStore;
  maker: BackupMaker;
  verifier: BackupVerifier;
  scratchDir: string;
  doors: PgDoor[];
  open: (url: string) => Promise<Client>;
}

/** Where the config says that backups are. */
export function backupStore({ backup, bot, stateDir }: Pick<Config, 'backup' | 'bot' | 'stateDir'>): BackupStore {
  if (backup.s3 === undefined) return new BackupStore(new FolderTarget(backup.dir ?? join(stateDir, 'backups')));
  const { endpoint, region, prefix, accessKeyId, secretAccessKey } = backup.s3;
  return new BackupStore(
    new S3Target({
      endpoint: endpoint.replace(/\/+$/, ''),
      ...{ region, accessKeyId, secretAccessKey },
      prefix: prefix ?? bot.name.replace(/[^\w.-]+/g, '-'),
    }),
  );
}

/** @param databaseUrls direct addresses, one per database shard */
export function createBackups(config: Config, databaseUrls: readonly string[], version: string): Backups {
  const { backup, bot, postgres, stateDir } = config;
  const { tls } = postgres;
  const doors = databaseUrls.map((url): PgDoor => ({ url, ...(tls !== undefined && { tls }) }));
  const open = (url: string): Promise<Client> =>
    connectClient({ url, applicationName: 'botctl backup', ...(tls !== undefined && { ssl: readTls(tls) }) });
  const store = backupStore(config);
  const key = backup.key ?? null;
  const doorOf = (shard: number): PgDoor => {
    const door = doors[shard] ?? doors[0];
    if (door === undefined) throw new Error('there are no database shards');
    return door;
  };
  const scratchDir = join(stateDir, SCRATCH_DIR);
  const source = {
    ...{ bot: bot.name, version, doors },
    embedded: postgres.shards === undefined,
    connect: (shard: number) => open(doorOf(shard).url),
  };
  return {
    ...{ store, scratchDir, doors, open },
    maker: new BackupMaker(source, { method: backup.method, key }, store, Date.now),
    verifier: new BackupVerifier({ ...{ store, key, scratchDir, doorOf, open }, now: Date.now }),
  };
}

/** Addresses of the embedded server's databases while it runs; null: it does not. */
export function runningEmbedded({ stateDir, postgres }: Pick<Config, 'stateDir' | 'postgres'>): string[] | null {
  const folder = new ServerFolder(join(stateDir, 'postgres'));
  const { server, port } = folder;
  if (server === null || port === null || !folder.hasPassword || !isRunning(server)) return null;
  const password = folder.password();
  return Array.from(
    { length: postgres.embedded.shards },
    (_, shard) => `postgres://${ROLE}:${password}@${LOOPBACK}:${port}/${databaseName(shard)}`,
  );
}
