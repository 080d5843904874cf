import type { CacheStatus, DataStatus, DeferredStatus, MoveStatus, PoolStatus } from '../../control/contract';
import type { CacheSample, DataSample, DeferredSample, PoolSample } from '../../ipc/data-sample';

/** What the supervisor itself knows of the database shards. */
export interface DataView {
  problem: string | null;
  shards: { shard: number; address: string; buckets: number; pinnedGuilds: number }[];
  move: MoveStatus | null;
}

/** Puts together what the supervisor and the bot's processes know. Pure. */
export function buildDataStatus(view: DataView, samples: readonly DataSample[]): DataStatus {
  const pools = samples.flatMap((sample) => sample.pools);
  return {
    ...view,
    shards: view.shards.map((shard) => ({
      ...shard,
      pools: sumPools(pools.filter((pool) => pool.shard === shard.shard)),
    })),
    cache: sumCaches(samples.flatMap(({ cache }) => (cache === null ? [] : [cache]))),
    deferred: sumDeferred(samples.flatMap(({ deferred }) => (deferred === null ? [] : [deferred]))),
  };
}

function sumPools(pools: readonly PoolSample[]): PoolStatus {
  const sum = (of: (pool: PoolSample) => number): number => pools.reduce((total, pool) => total + of(pool), 0);
  return {
    processes: pools.length,
    max: sum(({ max }) => max),
    total: sum(({ total }) => total),
    idle: sum(({ idle }) => idle),
    inUse: sum(({ inUse }) => inUse),
    waiting: sum(({ waiting }) => waiting),
    acquireTimeouts: sum(({ acquireTimeouts }) => acquireTimeouts),
    errors: sum(({ errors }) => errors),
    acquireP99Ms: Math.max(0, ...pools.map(({ acquireMs }) => acquireMs.p99)),
  };
}

function sumCaches(caches: readonly CacheSample[]): CacheStatus | null {
  if (caches.length === 0) return null;
  const sum = (of: (cache: CacheSample) => number): number => caches.reduce((total, cache) => total + of(cache), 0);
  return {
    processes: caches.length,
    l1: {
      hits: sum(({ l1 }) => l1.hits),
      misses: sum(({ l1 }) => l1.misses),
      entries: sum(({ l1 }) => l1.entries),
      bytes: sum(({ l1 }) => l1.bytes),
      evictions: sum(({ l1 }) => l1.evictions),
    },
    l2: caches.every(({ l2 }) => l2 === null)
      ? null
      : {
          hits: sum(({ l2 }) => l2?.hits ?? 0),
          misses: sum(({ l2 }) => l2?.misses ?? 0),
          errors: sum(({ l2 }) => l2?.errors ?? 0),
          open: caches.filter(({ l2 }) => l2 !== null && l2.state !== 'closed').length,
        },
    l3: {
      hits: sum(({ l3 }) => l3.hits),
      misses: sum(({ l3 }) => l3.misses),
      errors: sum(({ l3 }) => l3.errors),
    },
    loads: sum(({ loads }) => loads),
    loadErrors: sum(({ loadErrors }) => loadErrors),
  };
}

function sumDeferred(all: readonly DeferredSample[]): DeferredStatus | null {
  if (all.length === 0) return null;
  const ages = all.flatMap(({ oldestAgeMs }) => (oldestAgeMs === null ? [] : [oldestAgeMs]));
  return {
    pending: all.reduce((sum, { pending }) => sum + pending, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    oldestAgeMs: ages.length === 0 ? null : Math.max(...ages),
    deadLetters: all.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
  };
}
