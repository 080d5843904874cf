import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { DataError } from '../../../src/data/data-error';
import type { DeferTarget, DeferTransaction } from '../../../src/data/defer';

/** Classes of SQLSTATE that say that the server cannot be used at present. */
const UNAVAILABLE = new Set(['08', '53', '57']);

/** Real databases, one per shard. A file `down-<shard>` in the folder makes a shard unreachable. */
export class PgTarget implements DeferTarget {
  readonly #pools: pg.Pool[];

  constructor(
    urls: readonly string[],
    private readonly flags: string,
  ) {
    this.#pools = urls.map((connectionString) => {
      const pool = new pg.Pool({ connectionString, max: 10, connectionTimeoutMillis: 2_000 });
      pool.on('error', () => undefined);
      pool.on('connect', (client) => client.on('error', () => undefined));
      return pool;
    });
  }

  shardOf(guildId: bigint): number {
    return Number(guildId % BigInt(this.#pools.length));
  }

  async transaction<T>(guildId: bigint, fn: (tx: DeferTransaction) => Promise<T>): Promise<T> {
    const shard = this.shardOf(guildId);
    if (existsSync(join(this.flags, `down-${shard}`))) throw new DataError('UNAVAILABLE', 'flagged', { shard });
    let client: pg.PoolClient | null = null;
    let committing = false;
    try {
      client = await this.#pools[shard]!.connect();
      const connection = client;
      const tx: DeferTransaction['query'] = (text, params) => connection.query(text, params);
      await tx('BEGIN');
      const result = await fn({ query: tx });
      committing = true;
      await tx('COMMIT');
      client.release();
      return result;
    } catch (error) {
      client?.release(true); // the server rolls back what is open
      if (error instanceof pg.DatabaseError && !UNAVAILABLE.has(error.code?.slice(0, 2) ?? '')) throw error;
      throw new DataError('UNAVAILABLE', 'gone', { cause: error, shard, outcomeUnknown: committing });
    }
  }

  async query(shard: number, text: string, params: unknown[] = []): Promise<Record<string, unknown>[]> {
    const { rows } = await this.#pools[shard]!.query<Record<string, unknown>>(text, params);
    return rows;
  }

  async end(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }
}
