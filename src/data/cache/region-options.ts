import type { GuildId, Level3 } from './level3';

export interface LoadContext {
  guildId: GuildId | null;
  /** Aborted when the load takes too long or the cache closes. */
  signal: AbortSignal;
}

/** Durations in ms. */
export interface RegionOptions<T> {
  /** How long a value is fresh. At most 7 days. */
  ttlMs: number;
  /** How long L1 serves it without asking L2: the bound on staleness while invalidations are not heard. Default: ttlMs. */
  l1TtlMs?: number;
  /** How long after `ttlMs` it may still be served, while it is refreshed in the background or when loading fails. Default 0. */
  staleForMs?: number;
  /** How long "there is nothing" counts. Default 5 s; 0: not kept. */
  negativeTtlMs?: number;
  /** Part of each TTL that is cut off by chance, so that not all entries end at once; 0 to 1. Default 0.1. */
  jitter?: number;
  /** Asked when no level has the key. undefined: there is nothing; null is a value. */
  load?: (key: string, context: LoadContext) => Promise<T | undefined> | T | undefined;
  /** The same for many keys at once; those it leaves out do not exist. */
  loadMany?: (keys: readonly string[], context: LoadContext) => Promise<ReadonlyMap<string, T>>;
  /** Default 30 s. */
  loadTimeoutMs?: number;
  /** The durable level, asked before the loader and written through. */
  store?: Level3<T>;
  /** Tags of a loaded value. */
  tags?: (key: string, value: T) => readonly string[];
  /** Hand out copies. Default false: callers share the object in L1 and must not change it. */
  clone?: boolean;
  /** A process that loads and dies holds the others up for so long. It is renewed while the load runs. Default 5 s. */
  leaseMs?: number;
  /** A process waits at most so long for another one's load, then loads by itself. Default 10 s. */
  waitMs?: number;
}

export interface GetOptions {
  /** Of the guild that the key belongs to: finds its database shard. The same one for each call about the key. */
  guildId?: GuildId;
}

export interface SetOptions extends GetOptions {
  /** Instead of the region's, ms. */
  ttlMs?: number;
  tags?: readonly string[];
}

export const DEFAULTS = {
  staleForMs: 0,
  negativeTtlMs: 5_000,
  jitter: 0.1,
  loadTimeoutMs: 30_000,
  clone: false,
  leaseMs: 5_000,
  waitMs: 10_000,
} as const satisfies Partial<RegionOptions<never>>;

/** With every default in place. */
export type Settings<T> = RegionOptions<T> & Required<Pick<RegionOptions<T>, keyof typeof DEFAULTS | 'l1TtlMs'>>;

/** @throws RangeError when a duration makes no sense */
export function settle<T>(name: string, options: RegionOptions<T>): Settings<T> {
  const settings = { ...DEFAULTS, l1TtlMs: options.ttlMs, ...options };
  const positive = ['ttlMs', 'l1TtlMs', 'loadTimeoutMs', 'leaseMs', 'waitMs'] as const;
  for (const key of positive) {
    if (!(settings[key] > 0)) throw new RangeError(`cache region ${name}: ${key} must be above 0`);
  }
  if (!(settings.jitter >= 0 && settings.jitter < 1)) {
    throw new RangeError(`cache region ${name}: jitter must be at least 0 and below 1`);
  }
  return settings;
}
