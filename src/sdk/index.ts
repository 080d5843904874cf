/**
 * What a bot may import from `botctl`. Everything here works without botctl too: then there is no cluster, handlers are
 * simply never called, `db` says that there is no database, and `cache` is one in memory.
 */
import type { GetOptions, Level3, PostgresLevelOptions, Region, RegionOptions, SetOptions } from '../data/cache';
import type { DeferOutcome } from '../data/defer';
import type { GuildId } from '../data/placement/guild-id';
import type {
  Database,
  EveryShardOptions,
  GuildConnection,
  Rows,
  ShardConnection,
  TransactionOptions,
} from '../data/router/database';
import { dataOwner } from '../data/settings';
import type { ClusterInfo, StopHandler } from '../ipc/sdk-bridge';
import { BotChecks, type BotHealthCheck, type HealthCheckOptions } from './bot-checks';
import { bridge } from './bridge';
import type { DataRuntime, LeftJournal } from './data';
import { hasLeftWrites } from './left-writes';

export { DataError, type DataErrorCode } from '../data/data-error';
export { lifecycle } from './lifecycle';
export type {
  DegradedHandler,
  Drain,
  DrainHandler,
  HandoffHooks,
  MemoryPressure,
  MemoryPressureHandler,
} from '../ipc/sdk-bridge';
export type {
  BotHealthCheck,
  ClusterInfo,
  DeferOutcome,
  EveryShardOptions,
  GetOptions,
  GuildConnection,
  GuildId,
  HealthCheckOptions,
  Level3,
  Region,
  RegionOptions,
  Rows,
  SetOptions,
  ShardConnection,
  StopHandler,
  TransactionOptions,
};

/** The cluster that this process is, or null when it does not run under botctl. */
export const cluster: ClusterInfo | null = bridge()?.cluster ?? null;

/** Whose deferred writes these are: the next process of the cluster takes them up. */
const OWNER = cluster === null ? 'bot' : dataOwner(cluster.id);

let runtime: DataRuntime | null = null;

/** Loaded when it is first needed: a bot without a database does not carry it. */
function data(): DataRuntime {
  if (runtime === null) {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- only now, and not in a promise
    const { DataRuntime: Runtime } = require('./data') as { DataRuntime: typeof DataRuntime };
    const found = bridge();
    const made = new Runtime(process.env, OWNER, (name, reason) => found?.lifecycle?.report(name, reason));
    runtime = made;
    if (found !== null) {
      found.dataSample = () => made.sample();
      found.dataRemedy = (remedy) => made.remedy(remedy);
      found.dropDataCache = () => made.dropMemory();
    }
  }
  return runtime;
}

export interface DeferOptions {
  /** A write with a key that has landed before is not done again. Absent: each call is a write of its own. */
  key?: string;
}

/** The bot's tables, spread over the database shards by guild. Guild ids are text or bigint, never numbers. */
export const db = {
  /** One statement on the guild's shard. Errors: DataError, or pg's DatabaseError when the statement is at fault. */
  query<R = Record<string, unknown>>(guildId: GuildId, text: string, values?: readonly unknown[]): Promise<Rows<R>> {
    return attempt(() => data().database.query<R>(guildId, text, values));
  },

  /** Committed when `fn` resolves, else rolled back. Error: DataError with `outcomeUnknown` if the commit got no answer. */
  transaction<T>(guildId: GuildId, fn: (tx: GuildConnection) => Promise<T>, options?: TransactionOptions): Promise<T> {
    return attempt(() => data().database.transaction(guildId, fn, options));
  },

  /** Lends `fn` one connection to the guild's shard. */
  executeOnShard<T>(guildId: GuildId, fn: (connection: GuildConnection) => Promise<T>): Promise<T> {
    return attempt(() => data().database.executeOnShard(guildId, fn));
  },

  /** The guild's shard at present, for several statements in a row. */
  shard(guildId: GuildId): Promise<GuildConnection> {
    return attempt(() => data().database.shard(guildId));
  },

  /** Calls `fn` for every database shard. Error: AggregateError, after all have settled. */
  everyShard<T>(fn: (connection: ShardConnection) => Promise<T>, options?: EveryShardOptions): Promise<T[]> {
    return attempt(() => data().database.everyShard(fn, options));
  },

  /**
   * A write that is not lost while its shard is down: executed at once, or kept on disk and executed later, in the order
   * of the guild's writes. Resolves when it is safe. Errors: DataError QUEUE_FULL, DISK_FULL.
   */
  defer(
    guildId: GuildId,
    text: string,
    values: readonly unknown[] = [],
    options: DeferOptions = {},
  ): Promise<{ outcome: DeferOutcome; key: string }> {
    return attempt(() => data().defer(guildId, text, values, options));
  },

  /** Connections of this process, by database shard. */
  stats(): ReturnType<Database['stats']> {
    return runtime?.database.stats() ?? [];
  },
};

/** Values in this process's memory, in Redis, and in a table or wherever `load` finds them. */
export const cache = {
  /** One kind of values, with its loader and its times (ms). A name can be taken once. Error: RangeError. */
  region<T>(name: string, options: RegionOptions<T>): Region<T> {
    return data().region(name, options);
  },

  /** A durable level for `store`: a table on every database shard. */
  table<T>(options: PostgresLevelOptions): Level3<T> {
    return data().table(options);
  },
};

const botChecks = new BotChecks();

/** What only the bot knows of its own health. */
export const health = {
  /**
   * Runs `check` now and again in this process. Unwell is what answers false or `{ ok: false, message }`, throws, or does not
   * settle in time; nothing of it reaches the bot. Shown by `botctl health` as `bot:NAME`, for each cluster by itself.
   * Without botctl it never runs. Errors: RangeError (name taken, more than 20), TypeError.
   * @returns a function that takes the check back
   */
  register(name: string, check: BotHealthCheck, options?: HealthCheckOptions): () => void {
    const found = bridge();
    if (found === null) return () => undefined;
    found.healthSample ??= () => botChecks.sample();
    return botChecks.register(name, check, options);
  },
};

/** Label names and values; few different values, since each combination is a series of its own. */
export type Tags = Record<string, string | number | boolean>;

/**
 * What the bot measures itself, for `botctl metrics` and Prometheus under `bot_<name>`. Units are part of a good name:
 * `queue_wait_seconds`. None of these throws; of more than 100 combinations of tags the rest goes to `other`.
 */
export const metrics = {
  /** One value of a distribution, of which quantiles are kept: a duration, a size. */
  record(name: string, value: number, tags?: Tags): void {
    bridge()?.metrics?.record({ kind: 'distribution', name, value, tags });
  },

  /** Something has happened, once or `by` times. Prometheus sees it with `_total` at the end. */
  increment(name: string, by = 1, tags?: Tags): void {
    bridge()?.metrics?.record({ kind: 'counter', name, value: by, tags });
  },

  /** A figure as it is now, such as the length of a queue; told until it is set again. */
  gauge(name: string, value: number, tags?: Tags): void {
    bridge()?.metrics?.record({ kind: 'gauge', name, value, tags });
  },
};

/** Addresses of the Postgres database shards, passwords included. Empty without botctl or without Postgres. */
export function databaseUrls(): string[] {
  const urls = process.env['BOTCTL_DATABASE_URLS'];
  return urls === undefined ? [] : (JSON.parse(urls) as string[]);
}

/** Address of Redis, password included, or null when there is none. */
export function redisUrl(): string | null {
  return process.env['BOTCTL_REDIS_URL'] ?? null;
}

/**
 * Calls `handler` when the process is about to be replaced or stopped: its gateway connections are closed (resumably),
 * no event comes any more, REST still works. Awaited for a few seconds; what it throws is logged and changes nothing.
 * @returns a function that takes the handler back
 */
export function onStop(handler: StopHandler): () => void {
  const handlers = bridge()?.stopHandlers;
  handlers?.add(handler);
  return () => void handlers?.delete(handler);
}

/** Whatever goes wrong comes as a rejection. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  return work();
}

// A guild's deferred writes keep their order over a handoff, too.
try {
  bridge()?.handoff?.register('botctl:deferred', {
    export: () => runtime?.exportDeferred(),
    import: (left) => data().importDeferred(left as LeftJournal),
  });
} catch {
  // another copy of this module in the same process has done so
}

if (cluster !== null && hasLeftWrites(process.env, OWNER)) {
  data()
    .resumeDeferred()
    .catch((error: unknown) => console.error('deferred writes cannot be taken up:', error));
}
