import { createWriteStream, existsSync, readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { createDatabase, doorTo, dropDatabase, loadDump, refuseOlder } from './load-dump';
import type { BackupPart, Manifest } from './manifest';
import { openPart } from './open-part';
import type { PgDoor } from './pg-tools';
import { unpack } from './scratch-server';
import type { BackupStore } from './store';
import { differences } from './table-sums';
import { BackupError, DamagedError } from './target';
import { sumAt } from './verify';

export interface RestoreOptions {
  store: BackupStore;
  key: string | null;
  /** Opens a connection to a database of a server. */
  open: (url: string) => Promise<Client>;
  signal: AbortSignal;
  tell: (text: string) => void;
}

/** Database to be connected to while others are renamed; every server has one of the two. */
const NEUTRAL = ['postgres', 'template1'];
const NAME_LENGTH = 63;
const IN_USE = '55006';
const RENAME_ATTEMPTS = 20;

/** Puts the content of a backup where it is wanted. Files are checked before anything is changed. */
export class Restorer {
  constructor(private readonly options: RestoreOptions) {}

  /** The parts as files: dumps for pg_restore, and the data folder of a server. @throws BackupError */
  async unpackTo(manifest: Manifest, dir: string, shard: number | null): Promise<void> {
    const { store, key, signal, tell } = this.options;
    if (existsSync(dir) && readdirSync(dir).length > 0) {
      throw new BackupError(`There is something in ${dir} already.`, 'Name a new folder.');
    }
    await mkdir(dir, { recursive: true, mode: 0o700 });
    for (const part of manifest.parts) {
      if (shard !== null && !part.shards.includes(shard)) continue;
      tell(`unpacking ${part.file}`);
      const content = await openPart(store, manifest, part, key);
      if (part.kind === 'physical') {
        await unpack(content, join(dir, 'server'), signal);
        continue;
      }
      const file = join(dir, `shard-${part.shards[0] ?? 0}.dump`);
      try {
        await pipeline(content, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal });
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      }
    }
  }

  /**
   * Loads shards into databases beside those that have their place, compares them, and only when all are right swaps the
   * names: the old databases stay, under another name.
   * @returns names of the old databases
   * @throws BackupError, DeniedError; nothing is changed then
   */
  async replace(manifest: Manifest, targets: readonly { shard: number; door: PgDoor }[]): Promise<string[]> {
    const { tell } = this.options;
    const loaded: { shard: number; door: PgDoor; fresh: string }[] = [];
    try {
      for (const { shard, door } of targets) {
        const fresh = suffixed(databaseOf(door), '_restored');
        loaded.push({ shard, door, fresh });
        await this.#loadBeside(manifest, shard, door, fresh);
      }
    } catch (error) {
      for (const { door, fresh } of loaded) {
        await this.#neutral(door, (client) => dropDatabase(client, fresh)).catch(() => undefined);
      }
      throw error;
    }
    const swapped: { door: PgDoor; fresh: string; old: string }[] = [];
    try {
      for (const { shard, door, fresh } of loaded) {
        tell(`database shard ${shard}: taking its place`);
        const old = await this.#neutral(door, (client) => swap(client, databaseOf(door), fresh, manifest.id));
        swapped.push({ door, fresh, old });
      }
    } catch (error) {
      // Shards of two moments do not fit together.
      for (const { door, fresh, old } of swapped.reverse()) {
        await this.#neutral(door, (client) => rename(client, [databaseOf(door), fresh], [old, databaseOf(door)]));
      }
      throw error;
    }
    const old = swapped.map((one) => one.old);
    return old;
  }

  /** Loads one shard into a database that is empty, or that is made. @throws BackupError when it is not empty */
  async intoEmpty(manifest: Manifest, shard: number, door: PgDoor): Promise<void> {
    const name = databaseOf(door);
    const made = await this.#neutral(door, async (client) => {
      const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
      if (rowCount !== 0) return false;
      await createDatabase(client, name);
      return true;
    });
    if (!made && !(await this.isEmpty(door))) {
      throw new BackupError(`Database ${name} is not empty.`, 'Name a new one, or use --force to take its place.');
    }
    try {
      await this.#load(manifest, shard, door, true);
    } catch (error) {
      // Half a database is in the way of the next try. One that was there stays, whatever is in it now.
      if (made) await this.#neutral(door, (client) => dropDatabase(client, name)).catch(() => undefined);
      throw error;
    }
  }

  /** Programs that are connected to a database, without ours. */
  async users(door: PgDoor): Promise<string[]> {
    return this.#neutral(door, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT coalesce(nullif(application_name, ''), 'process ' || pid) AS name FROM pg_stat_activity
          WHERE datname = $1 AND backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1`,
        [databaseOf(door)],
      );
      return rows.map(({ name }) => name);
    });
  }

  async isEmpty(door: PgDoor): Promise<boolean> {
    const client = await this.options.open(door.url);
    try {
      const { rowCount } = await client.query(
        `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND n.nspname NOT LIKE 'pg\\_t%' LIMIT 1`,
      );
      return rowCount === 0;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async #loadBeside(manifest: Manifest, shard: number, door: PgDoor, fresh: string): Promise<void> {
    await this.#neutral(door, async (client) => {
      await dropDatabase(client, fresh);
      await createDatabase(client, fresh);
    });
    await this.#load(manifest, shard, doorTo(door, fresh), true);
  }

  async #load(manifest: Manifest, shard: number, door: PgDoor, privileges: boolean): Promise<void> {
    const { store, key, open, signal, tell } = this.options;
    const part = partOf(manifest, shard);
    tell(`database shard ${shard}: loading ${part.tables.length} tables`);
    const client = await open(door.url);
    try {
      await refuseOlder(manifest, part, client);
    } finally {
      await client.end().catch(() => undefined);
    }
    await loadDump({ store, manifest, part, key }, { door, privileges }, signal);
    tell(`database shard ${shard}: comparing`);
    const wrong = differences(part.tables, await sumAt(() => open(door.url), shard, signal));
    if (wrong.length > 0) {
      throw new DamagedError(`Backup ${manifest.id} does not restore to what it was: ${wrong.slice(0, 3).join('; ')}.`);
    }
  }

  async #neutral<T>(door: PgDoor, work: (client: Client) => Promise<T>): Promise<T> {
    let last: unknown = null;
    for (const database of NEUTRAL) {
      let client: Client;
      try {
        client = await this.options.open(doorTo(door, database).url);
      } catch (error) {
        last = error;
        continue;
      }
      try {
        return await work(client);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
    throw last;
  }
}

function partOf({ id, parts }: Manifest, shard: number): BackupPart {
  const part = parts.find(({ kind, shards }) => kind === 'dump' && shards.includes(shard));
  if (part !== undefined) return part;
  if (parts.some(({ shards }) => shards.includes(shard))) {
    throw new BackupError(
      `Backup ${id} is a copy of a whole server: one database of it cannot be restored alone.`,
      'Use --to live, or --to FOLDER and start a Postgres on it.',
    );
  }
  throw new BackupError(`Backup ${id} has no database shard ${shard}.`);
}

/** @returns the name of the old database */
async function swap(client: Client, name: string, fresh: string, id: string): Promise<string> {
  const old = await freeName(client, name, `_before_${id.toLowerCase()}`);
  await rename(client, [name, old], [fresh, name]);
  return old;
}

/** In one transaction for both: nobody meets neither. Whoever is connected is thrown out. */
async function rename(client: Client, ...pairs: [from: string, to: string][]): Promise<void> {
  const quote = (text: string): string => client.escapeIdentifier(text);
  const names = pairs.map(([from]) => from);
  const statements = pairs.map(([from, to]) => `ALTER DATABASE ${quote(from)} RENAME TO ${quote(to)}`);
  for (let attempt = 1; ; attempt++) {
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY ($1)', [names]);
    try {
      await client.query(['BEGIN', ...statements, 'COMMIT'].join('; '));
      return;
    } catch (error) {
      await client.query('ROLLBACK');
      // Whoever keeps a pool is back at once.
      if ((error as { code?: unknown }).code !== IN_USE || attempt >= RENAME_ATTEMPTS) throw error;
    }
  }
}

/** What an earlier restore of the same backup kept stays, too. */
async function freeName(client: Client, name: string, suffix: string): Promise<string> {
  const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database');
  const taken = new Set(rows.map(({ datname }) => datname));
  for (let n = 1; ; n++) {
    const free = suffixed(name, n === 1 ? suffix : `${suffix}_${n}`);
    if (!taken.has(free)) return free;
  }
}

function databaseOf({ url }: PgDoor): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

function suffixed(name: string, suffix: string): string {
  return name.slice(0, NAME_LENGTH - suffix.length) + suffix;
}
