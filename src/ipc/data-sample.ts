/** How the databases of one process of the bot are doing, as the SDK tells the agent. Counters since its start. */
export interface DataSample {
  pools: PoolSample[];
  cache: CacheSample | null;
  deferred: DeferredSample | null;
}

/** Connections to one database shard. */
export interface PoolSample {
  shard: number;
  max: number;
  total: number;
  idle: number;
  inUse: number;
  waiting: number;
  statements: number;
  acquired: number;
  released: number;
  created: number;
  destroyed: number;
  acquireTimeouts: number;
  errors: number;
  /** open: nothing is sent to the shard, since it does not answer. Absent in an SDK that has no circuit breaker. */
  circuit?: 'closed' | 'open' | 'half-open';
  /** Statements refused for that. */
  refused?: number;
  acquireMs: { p50: number; p99: number; max: number };
}

export interface CacheSample {
  l1: { hits: number; misses: number; entries: number; bytes: number; evictions: number };
  /** null: there is no Redis. */
  l2: { hits: number; misses: number; errors: number; state: 'closed' | 'open' | 'half-open' } | null;
  l3: { hits: number; misses: number; errors: number };
  loads: number;
  loadErrors: number;
  /** Are invalidations heard? null: there is nobody to hear from. */
  bus: boolean | null;
}

/** Writes that wait on disk. */
export interface DeferredSample {
  pending: number;
  bytes: number;
  oldestAgeMs: number | null;
  deadLetters: number;
}
