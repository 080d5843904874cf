import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { DeniedError } from '../task';
import type { BackupPart, Manifest } from './manifest';
import { openPart } from './open-part';
import { findPgTools, type PgDoor, startTool, toolsToRead } from './pg-tools';
import type { BackupStore } from './store';
import { BackupError } from './target';

/** Processes that load one database side by side, where the file is at hand. */
const JOBS = 2;

/** Loads a dump into an empty database. @throws BackupError with what pg_restore said, or about the file */
export async function loadDump(
  from: { store: BackupStore; manifest: Manifest; part: BackupPart; key: string | null },
  into: { door: PgDoor; privileges: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { store, manifest, part, key } = from;
  const tools = toolsToRead(manifest.id, part.postgres, await findPgTools());
  const database = decodeURIComponent(new URL(into.door.url).pathname.slice(1));
  const args = [
    `--dbname=${database}`,
    '--no-owner',
    '--exit-on-error',
    ...(into.privileges ? [] : ['--no-privileges']),
  ];
  const local = manifest.encrypted ? null : store.target.localPath(store.pathOf(manifest.id, part));
  if (local !== null) {
    const { child, ended } = startTool(tools, 'pg_restore', [...args, `--jobs=${JOBS}`, local], into.door, signal);
    child.stdin.end();
    child.stdout.resume();
    await ended;
    return;
  }
  const content = await openPart(store, manifest, part, key);
  const { child, ended } = startTool(tools, 'pg_restore', args, into.door, signal);
  child.stdout.resume();
  const fed = pipeline(content, child.stdin).catch((error: unknown) => error);
  await ended.catch(async (error: unknown) => {
    const cause = await fed;
    // A file that breaks off is the reason, whatever pg_restore made of it.
    throw cause instanceof BackupError ? cause : error;
  });
  const problem = await fed;
  if (problem instanceof BackupError) throw problem;
}

/** Dumps load into servers of their version and newer ones. @throws BackupError that says which it takes */
export async function refuseOlder({ id }: Manifest, part: BackupPart, client: Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version`,
  );
  const version = rows[0]?.version ?? 0;
  if (version >= part.postgres) return;
  throw new BackupError(
    `Backup ${id} is of Postgres ${part.postgres}, but this server is version ${version}.`,
    `Restore it on Postgres ${part.postgres} or newer.`,
  );
}

/** The same server, another database. */
export function doorTo(door: PgDoor, database: string): PgDoor {
  const url = new URL(door.url);
  url.pathname = `/${encodeURIComponent(database)}`;
  return { ...door, url: url.href };
}

/**
 * Makes an empty database beside the one of the client.
 * @throws DeniedError with what would permit it
 */
export async function createDatabase(client: Client, name: string): Promise<void> {
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE template0`);
  } catch (error) {
    if ((error as { code?: unknown }).code !== '42501') throw error;
    const { rows } = await client.query<{ role: string }>('SELECT current_user AS role');
    const role = client.escapeIdentifier(rows[0]?.role ?? '');
    throw new DeniedError('The role may not create a database to restore into.', `ALTER ROLE ${role} CREATEDB;`);
  }
}

export async function dropDatabase(client: Client, name: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`);
}
