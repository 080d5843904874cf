import type { BreakerState } from './redis-link';

/** Counts since the start, of one region or of all. */
export interface RegionStats {
  l1: {
    hits: number;
    misses: number;
    /** Served although stale, while a refresh ran or because loading failed. */
    staleHits: number;
    /** "There is nothing" served; counted in hits too. */
    negativeHits: number;
    evictions: number;
  };
  l2: { hits: number; misses: number; staleHits: number; negativeHits: number };
  l3: { hits: number; misses: number; errors: number };
  /** Keys that the loader was asked for. */
  loads: number;
  loadErrors: number;
  /** Waits for a load in another process. */
  leaseWaits: number;
  /** Loads whose value was not kept, because a write, a delete or an invalidation overtook them. */
  refusedFills: number;
}

export interface CacheStats extends RegionStats {
  /** Entries and estimated bytes in L1. */
  memory: { entries: number; bytes: number };
  redis: { breaker: BreakerState; errors: number } | null;
  bus: { connected: boolean; sent: number; received: number } | null;
}

export function noStats(): RegionStats {
  return {
    l1: { hits: 0, misses: 0, staleHits: 0, negativeHits: 0, evictions: 0 },
    l2: { hits: 0, misses: 0, staleHits: 0, negativeHits: 0 },
    l3: { hits: 0, misses: 0, errors: 0 },
    loads: 0,
    loadErrors: 0,
    leaseWaits: 0,
    refusedFills: 0,
  };
}

export function sumStats(all: Iterable<RegionStats>): RegionStats {
  const sum = noStats();
  for (const one of all) {
    for (const level of ['l1', 'l2', 'l3'] as const) add(sum[level], one[level]);
    sum.loads += one.loads;
    sum.loadErrors += one.loadErrors;
    sum.leaseWaits += one.leaseWaits;
    sum.refusedFills += one.refusedFills;
  }
  return sum;
}

function add<C extends Record<keyof C, number>>(sum: C, one: C): void {
  for (const name of Object.keys(one) as (keyof C)[]) (sum[name] as number) += one[name];
}
