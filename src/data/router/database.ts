import { setTimeout as delay } from 'node:timers/promises';
import { types } from 'node:util';
import type { QueryResult } from 'pg';
import { DataError } from '../data-error';
import { type GuildId, parseGuildId } from '../placement/guild-id';
import { NOT_HERE } from '../pool/classify';
import type { Pass } from '../pool/fence';
import type { PoolStats, ShardPool } from '../pool/shard-pool';
import type { Location, Placements } from './placements';
import type { GuildConnection, Rows, ShardConnection } from './connection';
import { GuildTransaction } from './transaction';

export type { GuildConnection, Rows, ShardConnection } from './connection';

export interface TransactionOptions {
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readOnly?: boolean;
}

export interface EveryShardOptions {
  /** Database shards at once; 4 by default. */
  concurrency?: number;
}

/** A guild that is on the move is looked for so long, ms. */
const SEARCH_MS = 10_000;
const SEARCH_STEP_MS = 10;
const MAX_SEARCH_STEP_MS = 250;
const FAN_OUT = 4;

/** The database shards behind one door: finds the shard of a guild, and finds it again when it has moved. */
export class Database {
  constructor(
    private readonly pools: readonly ShardPool[],
    private readonly placements: Placements,
  ) {}

  /**
   * One statement on the guild's shard.
   * @throws DataError, or pg's DatabaseError when the statement is at fault
   */
  async query<R = Record<string, unknown>>(
    guildId: GuildId,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Rows<R>> {
    const guild = parseGuildId(guildId);
    return this.#routed(guild, (pool, pass) => pool.query(pass, text, values)) as Promise<Rows<R>>;
  }

  /**
   * A transaction on the guild's shard: committed when `fn` resolves, else rolled back. `fn` is called once, whatever
   * happens; the transaction begins with its first statement.
   * @throws what `fn` throws; DataError with `outcomeUnknown` when the connection broke while it was being committed
   */
  async transaction<T>(
    guildId: GuildId,
    fn: (tx: GuildConnection) => Promise<T>,
    { isolation, readOnly = false }: TransactionOptions = {},
  ): Promise<T> {
    const guild = parseGuildId(guildId);
    const mode = `${isolation === undefined ? '' : ` ISOLATION LEVEL ${isolation}`}${readOnly ? ' READ ONLY' : ''}`;
    const map = this.placements.known ?? (await this.placements.load());
    const { shard } = this.placements.locate(map, guild);
    return new GuildTransaction((attempt) => this.#routed(guild, attempt), `BEGIN${mode}`, shard).run(fn);
  }

  /**
   * Lends `fn` one connection to the guild's shard. Every statement on it is refused (GUILD_MOVED) once the guild has
   * moved away; `fn` is called again if that was the first one.
   */
  async executeOnShard<T>(guildId: GuildId, fn: (connection: GuildConnection) => Promise<T>): Promise<T> {
    const guild = parseGuildId(guildId);
    return this.#routed(guild, (pool, pass) =>
      pool.withClient(async (client) => {
        let begun = false;
        const lent = lend(pool.shard, async (text, values) => {
          try {
            const result = await pool.queryOn(client, pass, text, values);
            begun = true;
            return result;
          } catch (error) {
            throw begun && isNotHere(error) ? moved(guild, error) : error;
          }
        });
        try {
          return await fn(lent.connection);
        } finally {
          lent.takeBack();
        }
      }),
    );
  }

  /** The guild's shard at present, for several statements in a row. */
  async shard(guildId: GuildId): Promise<GuildConnection> {
    const guild = parseGuildId(guildId);
    const map = await this.placements.load();
    const query = (text: string, values?: readonly unknown[]): Promise<Rows> => this.query(guild, text, values);
    return { shard: this.placements.locate(map, guild).shard, query: query as GuildConnection['query'] };
  }

  /**
   * Calls `fn` for every database shard. A guild that is being moved may be seen on two of them: filter by
   * `botctl.owns(guild_id)` where that matters.
   * @returns what `fn` returned, by shard
   * @throws AggregateError when it failed for some, after it has settled for all
   */
  async everyShard<T>(
    fn: (connection: ShardConnection) => Promise<T>,
    { concurrency = FAN_OUT }: EveryShardOptions = {},
  ): Promise<T[]> {
    const results: PromiseSettledResult<T>[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let shard = next++; shard < this.pools.length; shard = next++) {
        const [result] = await Promise.allSettled([this.#onShard(this.#pool(shard), fn)]);
        results[shard] = result;
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker));
    const failed = results.flatMap((result, shard) => (result.status === 'rejected' ? [{ shard, result }] : []));
    if (failed.length === 0) return results.map((result) => (result as PromiseFulfilledResult<T>).value);
    throw new AggregateError(
      failed.map(({ result }) => result.reason as unknown),
      `failed on database shard ${failed.map(({ shard }) => shard).join(', ')} of ${results.length}`,
    );
  }

  /** Number of the guild's shard as far as this process knows; 0 while it knows nothing. */
  shardOf(guildId: bigint): number {
    const map = this.placements.known;
    return map === null ? 0 : this.placements.locate(map, guildId).shard;
  }

  /** New connections instead of the present ones, to one database shard or to all (null). How many are closed. */
  async recycle(shard: number | null): Promise<number> {
    const counts = await Promise.all(this.#some(shard).map((pool) => pool.recycle()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** So many times the configured connections may be open, to one database shard or to all (null). How many that are. */
  scale(shard: number | null, factor: number): number {
    return this.#some(shard).reduce((sum, pool) => sum + pool.scale(factor), 0);
  }

  stats(): PoolStats[] {
    return this.pools.map((pool) => pool.stats());
  }

  async close(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.close()));
  }

  #some(shard: number | null): readonly ShardPool[] {
    return shard === null ? this.pools : [this.#pool(shard)];
  }

  #pool(shard: number): ShardPool {
    const pool = this.pools[shard];
    if (pool === undefined) throw new DataError('UNAVAILABLE', `database shard ${shard} is not in this bot's config`);
    return pool;
  }

  /** Finds the shard that takes the guild; what a shard refuses has not begun. */
  async #routed<T>(guildId: bigint, attempt: (pool: ShardPool, pass: Pass) => Promise<T>): Promise<T> {
    let map = this.placements.known ?? (await this.placements.load());
    const until = Date.now() + SEARCH_MS;
    for (let step = SEARCH_STEP_MS; ; step = Math.min(step * 2, MAX_SEARCH_STEP_MS)) {
      const location = this.placements.locate(map, guildId);
      try {
        return await attempt(this.#pool(location.shard), { guildId, token: location.token });
      } catch (error) {
        if (!isNotHere(error)) throw error;
        if (Date.now() > until) throw moved(guildId, error);
        const forward = forwardOf(error);
        if (forward !== null && forward.shard !== location.shard) {
          this.placements.forward(guildId, forward);
          continue;
        }
        this.placements.forget(guildId);
        map = await this.placements.refresh();
        if (this.placements.locate(map, guildId).shard === location.shard) await delay(step);
      }
    }
  }

  #onShard<T>(pool: ShardPool, fn: (connection: ShardConnection) => Promise<T>): Promise<T> {
    return pool.withClient(async (client) => {
      const lent = lend(pool.shard, (text, values) => pool.queryOn(client, null, text, values));
      try {
        return await fn(lent.connection);
      } finally {
        lent.takeBack();
      }
    });
  }
}

function lend(
  shard: number,
  run: (text: string, values: readonly unknown[]) => Promise<QueryResult>,
): { connection: GuildConnection; takeBack: () => void } {
  let lent = true;
  const query = async (text: string, values: readonly unknown[] = []): Promise<QueryResult> => {
    if (!lent)
      throw new DataError('CLOSED', 'this connection was lent until the function that got it had settled', { shard });
    return run(text, values);
  };
  return { connection: { shard, query: query as GuildConnection['query'] }, takeBack: () => void (lent = false) };
}

function isNotHere(error: unknown): boolean {
  return types.isNativeError(error) && 'code' in error && error.code === NOT_HERE;
}

/** "shard:token" of the move by which the guild left. */
function forwardOf(error: unknown): Location | null {
  const match = /^(\d+):(\d+)$/.exec((error as { detail?: string }).detail ?? '');
  return match === null ? null : { shard: Number(match[1]), token: match[2] ?? null };
}

function moved(guild: bigint, cause: unknown): DataError {
  return new DataError('GUILD_MOVED', `guild ${guild} went to another database shard meanwhile`, { cause });
}
