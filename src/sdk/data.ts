import { randomUUID } from 'node:crypto';
import {
  Cache,
  type Level3,
  PostgresLevel,
  type PostgresLevelOptions,
  type Region,
  type RegionOptions,
} from '../data/cache';
import { DataError } from '../data/data-error';
import { DeferQueue } from '../data/defer';
import type { DeferOutcome } from '../data/defer';
import { type GuildId, parseGuildId } from '../data/placement/guild-id';
import { connectClient } from '../data/pool/connect';
import type { Database } from '../data/router/database';
import { openDatabase } from '../data/router/open-database';
import { DATA_SETTINGS, type DataSettings } from '../data/settings';
import type { CacheSample, DataSample } from '../ipc/data-sample';
import type { DataRemedy, RemedyOutcome } from '../ipc/remedies';

const NO_DATABASE =
  'This process has no database: run the bot under botctl, with postgres.shards in botctl.yaml or its embedded server.';

/** A recovery step looks at how far the deferred writes have come after so long, ms. */
const REPLAY_MS = 5_000;
const NOT_USED: RemedyOutcome = { ok: true, text: 'not in use in this process' };

/** A journal in which writes wait. */
export interface LeftJournal {
  journal: string;
}

/** What this process has of the data tier. Each part is opened when it is first used. */
export class DataRuntime {
  readonly #settings: DataSettings | null;
  #database: Database | null = null;
  #cache: Cache | null = null;
  #queue: Promise<DeferQueue> | null = null;
  #opened: DeferQueue | null = null;

  /** @param owner who this process is, the same after a restart: `cluster-3` */
  constructor(
    env: NodeJS.ProcessEnv,
    private readonly owner: string,
    /** A dependency (`db:2`, `redis`) is left alone from now on, and why; null: it is used again. */
    private readonly onCircuit: (name: string, reason: string | null) => void = () => undefined,
  ) {
    const text = env[DATA_SETTINGS];
    this.#settings = text === undefined ? null : (JSON.parse(text) as DataSettings);
  }

  /** @throws DataError UNAVAILABLE when there are no database shards */
  get database(): Database {
    return (this.#database ??= openDatabase(this.#needed(), this.owner, (shard, reason) =>
      this.onCircuit(`db:${shard}`, reason),
    ));
  }

  /** Without a database and Redis it is a cache in memory. */
  get cache(): Cache {
    return (this.#cache ??= this.#openCache());
  }

  /** Takes up what an earlier process left behind. */
  async resumeDeferred(): Promise<void> {
    await this.#deferQueue();
  }

  /** What the next process has to know of the writes that wait here; undefined: none do. */
  exportDeferred(): LeftJournal | undefined {
    const journal = this.#opened?.pendingJournal ?? null;
    return journal === null ? undefined : { journal };
  }

  /** The process before this one has left writes: they come before those of this one. */
  async importDeferred({ journal }: LeftJournal): Promise<void> {
    (await this.#deferQueue()).succeed(journal);
  }

  async defer(
    guildId: GuildId,
    text: string,
    values: readonly unknown[],
    options: { key?: string },
  ): Promise<{ outcome: DeferOutcome; key: string }> {
    const guild = parseGuildId(guildId);
    return (await this.#deferQueue()).defer(guild, text, values, options);
  }

  region<T>(name: string, options: RegionOptions<T>): Region<T> {
    return this.cache.region(name, options);
  }

  /** The durable level of a region: a table on every database shard. */
  table<T>(options: PostgresLevelOptions): Level3<T> {
    const { database } = this;
    return new PostgresLevel<T>(
      {
        query: (routingId, text, values) => database.query(routingId, text, values),
        everyShard: async (text, values) => {
          await database.everyShard((shard) => shard.query(text, values));
        },
      },
      options,
    );
  }

  sample(): DataSample | null {
    if (this.#database === null && this.#cache === null && this.#opened === null) return null;
    const queue = this.#opened?.stats();
    return {
      pools: this.#database?.stats() ?? [],
      cache: this.#cache === null ? null : cacheSample(this.#cache),
      deferred: queue === undefined ? null : { ...queue },
    };
  }

  /** Done twice it does no harm. */
  async remedy(remedy: DataRemedy): Promise<RemedyOutcome> {
    switch (remedy.kind) {
      case 'recycle-pool': {
        if (this.#database === null) return NOT_USED;
        return { ok: true, text: `${await this.#database.recycle(remedy.database)} connections replaced` };
      }
      case 'scale-pool': {
        if (this.#database === null) return NOT_USED;
        return { ok: true, text: `up to ${this.#database.scale(remedy.database, remedy.factor)} connections` };
      }
      case 'recycle-redis': {
        const done = this.#cache?.reconnectRedis() ?? false;
        return done ? { ok: true, text: 'a new connection to Redis' } : NOT_USED;
      }
      case 'replay-deferred': {
        const queue = this.#opened;
        if (queue === null) return NOT_USED;
        const before = queue.stats().pending;
        const left = await queue.flush({ timeoutMs: REPLAY_MS });
        return { ok: left === 0 || left < before, text: `${before} writes waited, ${left} still do` };
      }
    }
  }

  /** Empties the cache in memory; how many entries that were. */
  dropMemory(): number {
    return this.#cache?.dropMemory() ?? 0;
  }

  /** Ends all connections; what is deferred stays on disk. */
  async close(): Promise<void> {
    const queue = await this.#queue?.catch(() => null);
    await queue?.close();
    await this.#cache?.close();
    await this.#database?.close();
  }

  #needed(): DataSettings {
    if (this.#settings === null || this.#settings.databaseUrls.length === 0) {
      throw new DataError('UNAVAILABLE', NO_DATABASE);
    }
    return this.#settings;
  }

  #deferQueue(): Promise<DeferQueue> {
    this.#queue ??= this.#openQueue().catch((error: unknown) => {
      this.#queue = null; // the next call tries again
      throw error;
    });
    return this.#queue;
  }

  async #openQueue(): Promise<DeferQueue> {
    const { defer } = this.#needed();
    const { database } = this;
    const queue = await DeferQueue.open({
      ...defer,
      owner: this.owner,
      target: {
        transaction: (guildId, fn) => database.transaction(guildId, fn),
        shardOf: (guildId) => database.shardOf(guildId),
      },
      log: (level, message) => (level === 'error' ? console.error(message) : console.log(message)),
    });
    this.#opened = queue;
    return queue;
  }

  #openCache(): Cache {
    const settings = this.#settings;
    const catalogue = settings?.databaseUrls[0];
    const { maxEntries = 50_000, maxBytes = 64 * 1024 * 1024 } = settings?.cache ?? {};
    return new Cache({
      processId: randomUUID(),
      namespace: settings?.name ?? 'bot',
      l1: { maxEntries, maxBytes },
      redis: settings?.redis ?? null,
      onRedis: (reason) => this.onCircuit('redis', reason),
      notify:
        settings === null || catalogue === undefined || settings.pool.pgbouncer
          ? null
          : () => connectClient({ url: catalogue, applicationName: `botctl ${this.owner}`, ssl: settings.tls }),
    });
  }
}

function cacheSample(cache: Cache): CacheSample {
  const { l1, l2, l3, memory, redis, bus, loads, loadErrors } = cache.stats();
  return {
    l1: { hits: l1.hits, misses: l1.misses, evictions: l1.evictions, ...memory },
    l2: redis === null ? null : { hits: l2.hits, misses: l2.misses, errors: redis.errors, state: redis.breaker },
    l3,
    loads,
    loadErrors,
    bus: bus?.connected ?? null,
  };
}
