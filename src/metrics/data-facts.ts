import type { DataSample } from '../ipc/data-sample';
import type { Fact } from './sample-facts';

const MS = 1_000;
const NONE = {};

/** What the pools and caches of one process have counted. */
export function dataCounters({ pools, cache }: DataSample): Fact[] {
  const facts: Fact[] = pools.flatMap((pool): Fact[] => {
    const labels = { database: String(pool.shard) };
    return [
      { name: 'pool_statements_total', labels, value: pool.statements },
      { name: 'pool_acquires_total', labels, value: pool.acquired },
      { name: 'pool_releases_total', labels, value: pool.released },
      { name: 'pool_connections_opened_total', labels, value: pool.created },
      { name: 'pool_connections_closed_total', labels, value: pool.destroyed },
      { name: 'pool_acquire_timeouts_total', labels, value: pool.acquireTimeouts },
      { name: 'pool_errors_total', labels, value: pool.errors },
      { name: 'pool_refused_total', labels, value: pool.refused ?? 0 },
    ];
  });
  if (cache === null) return facts;
  const { l1, l2, l3, loads, loadErrors } = cache;
  facts.push(
    { name: 'cache_hits_total', labels: { level: 'memory' }, value: l1.hits },
    { name: 'cache_misses_total', labels: { level: 'memory' }, value: l1.misses },
    { name: 'cache_evictions_total', labels: NONE, value: l1.evictions },
    { name: 'cache_loads_total', labels: NONE, value: loads },
    { name: 'cache_load_errors_total', labels: NONE, value: loadErrors },
  );
  for (const [level, counts] of [
    ['redis', l2],
    ['durable', l3],
  ] as const) {
    if (counts === null) continue;
    facts.push(
      { name: 'cache_hits_total', labels: { level }, value: counts.hits },
      { name: 'cache_misses_total', labels: { level }, value: counts.misses },
      { name: 'cache_errors_total', labels: { level }, value: counts.errors },
    );
  }
  return facts;
}

/** How the pools and caches of all processes are at the moment. */
export function dataGauges(samples: readonly DataSample[]): Fact[] {
  const byDatabase = new Map<number, { idle: number; inUse: number; max: number; waiting: number; p99: number }>();
  for (const { shard, idle, inUse, max, waiting, acquireMs } of samples.flatMap(({ pools }) => pools)) {
    const sum = byDatabase.get(shard) ?? { idle: 0, inUse: 0, max: 0, waiting: 0, p99: 0 };
    sum.idle += idle;
    sum.inUse += inUse;
    sum.max += max;
    sum.waiting += waiting;
    sum.p99 = Math.max(sum.p99, acquireMs.p99);
    byDatabase.set(shard, sum);
  }
  const facts = [...byDatabase].flatMap(([shard, sum]): Fact[] => {
    const database = String(shard);
    return [
      { name: 'pool_connections', labels: { database, state: 'idle' }, value: sum.idle },
      { name: 'pool_connections', labels: { database, state: 'in-use' }, value: sum.inUse },
      { name: 'pool_connections_limit', labels: { database }, value: sum.max },
      { name: 'pool_waiting', labels: { database }, value: sum.waiting },
      { name: 'pool_acquire_p99_seconds', labels: { database }, value: sum.p99 / MS },
    ];
  });
  return [...facts, ...circuitGauges(samples), ...cacheGauges(samples), ...deferredGauges(samples)];
}

function circuitGauges(samples: readonly DataSample[]): Fact[] {
  const open = new Map<string, number>();
  const count = (dependency: string, state: string): void => {
    open.set(dependency, (open.get(dependency) ?? 0) + (state === 'closed' ? 0 : 1));
  };
  for (const { pools, cache } of samples) {
    for (const { shard, circuit = 'closed' } of pools) count(`db:${shard}`, circuit);
    const redis = cache?.l2 ?? null;
    if (redis !== null) count('redis', redis.state);
  }
  return [...open].map(([dependency, value]) => ({ name: 'circuit_open', labels: { dependency }, value }));
}

function cacheGauges(samples: readonly DataSample[]): Fact[] {
  const caches = samples.flatMap(({ cache }) => cache ?? []);
  if (caches.length === 0) return [];
  const bypassed = caches.filter(({ l2 }) => l2 !== null && l2.state !== 'closed').length;
  return [
    { name: 'cache_entries', labels: NONE, value: sum(caches, ({ l1 }) => l1.entries) },
    { name: 'cache_memory_bytes', labels: NONE, value: sum(caches, ({ l1 }) => l1.bytes) },
    { name: 'cache_redis_bypassed', labels: NONE, value: bypassed },
  ];
}

function deferredGauges(samples: readonly DataSample[]): Fact[] {
  const all = samples.flatMap(({ deferred }) => deferred ?? []);
  if (all.length === 0) return [];
  const oldest = Math.max(0, ...all.map(({ oldestAgeMs }) => oldestAgeMs ?? 0));
  return [
    { name: 'deferred_writes', labels: NONE, value: sum(all, ({ pending }) => pending) },
    { name: 'deferred_bytes', labels: NONE, value: sum(all, ({ bytes }) => bytes) },
    { name: 'deferred_oldest_age_seconds', labels: NONE, value: oldest / MS },
    { name: 'deferred_dead_letters', labels: NONE, value: sum(all, ({ deadLetters }) => deadLetters) },
  ];
}

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0);
}
