import { Client } from 'pg';
import { ROLE } from './init-cluster';
import { LOOPBACK } from './port';

const CONNECT_TIMEOUT_MS = 5_000;
/** CREATE DATABASE copies files and waits for a checkpoint: slow on a slow disk. */
const QUERY_TIMEOUT_MS = 60_000;
const WRONG_PASSWORD = '28P01';

/** How a server answered. */
export type Answer = { state: 'up'; version: string } | { state: 'refused' } | { state: 'not yet' };

export interface Door {
  port: number;
  password: string;
}

/** One look at a server: up, refusing our password, or not answering (starting, ending, or no server at all). */
export async function askPostgres(door: Door): Promise<Answer> {
  try {
    return await withClient(door, async (client) => {
      const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
      return { state: 'up', version: rows[0]?.server_version.split(' ')[0] ?? 'unknown' };
    });
  } catch (error) {
    return { state: (error as { code?: unknown }).code === WRONG_PASSWORD ? 'refused' : 'not yet' };
  }
}

export function databaseName(shard: number): string {
  return `botctl_shard_${shard}`;
}

/** Creates the databases that are missing; none is ever dropped. */
export async function createDatabases(door: Door, count: number): Promise<void> {
  await withClient(door, async (client) => {
    const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database');
    const present = new Set(rows.map(({ datname }) => datname));
    for (let shard = 0; shard < count; shard += 1) {
      const name = databaseName(shard);
      if (!present.has(name)) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    }
  });
}

async function withClient<T>({ port, password }: Door, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    host: LOOPBACK,
    port,
    user: ROLE,
    password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  client.on('error', () => undefined); // reported by the rejected call
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
