import type { CacheSample, DataSample, PoolSample } from '../../../src/ipc/data-sample';
import { buildDataStatus, type DataView } from '../../../src/supervisor/data/status';

const VIEW: DataView = {
  problem: null,
  shards: [0, 1].map((shard) => ({ shard, address: `db:5432/s${shard}`, buckets: 512, pinnedGuilds: shard })),
  move: null,
};

function pool(shard: number, change: Partial<PoolSample> = {}): PoolSample {
  const counts = { statements: 9, acquired: 5, released: 5, created: 2, destroyed: 0, acquireTimeouts: 1, errors: 0 };
  return {
    ...{ shard, max: 10, total: 3, idle: 2, inUse: 1, waiting: 0, ...counts },
    acquireMs: { p50: 0.1, p99: 2, max: 5 },
    ...change,
  };
}

function cache(change: Partial<CacheSample> = {}): CacheSample {
  return {
    l1: { hits: 10, misses: 2, entries: 5, bytes: 1_000, evictions: 1 },
    l2: { hits: 1, misses: 1, errors: 0, state: 'closed' },
    l3: { hits: 0, misses: 1, errors: 0 },
    loads: 1,
    loadErrors: 0,
    bus: true,
    ...change,
  };
}

const NOTHING: DataSample = { pools: [], cache: null, deferred: null };

test('without a process that uses the SDK there are the shards alone', () => {
  const status = buildDataStatus(VIEW, []);
  expect(status.shards[1]).toMatchObject({ address: 'db:5432/s1', pinnedGuilds: 1, pools: { processes: 0, max: 0 } });
  expect(status).toMatchObject({ problem: null, move: null, cache: null, deferred: null });
});

test('pools are summed by shard over the processes, the slowest says how long a connection takes', () => {
  const busy = pool(1, { waiting: 4, inUse: 10, idle: 0, total: 10, acquireMs: { p50: 1, p99: 90, max: 200 } });
  const { shards } = buildDataStatus(VIEW, [
    { ...NOTHING, pools: [pool(0), pool(1)] },
    { ...NOTHING, pools: [pool(0), busy] },
  ]);
  expect(shards.map(({ pools }) => pools)).toEqual([
    { processes: 2, max: 20, total: 6, idle: 4, inUse: 2, waiting: 0, acquireTimeouts: 2, errors: 0, acquireP99Ms: 2 },
    {
      processes: 2,
      max: 20,
      total: 13,
      idle: 2,
      inUse: 11,
      waiting: 4,
      acquireTimeouts: 2,
      errors: 0,
      acquireP99Ms: 90,
    },
  ]);
});

test('caches are summed, and it is counted how many leave Redis alone', () => {
  const open = cache({ l2: { hits: 0, misses: 5, errors: 3, state: 'open' } });
  const status = buildDataStatus(VIEW, [
    { ...NOTHING, cache: cache() },
    { ...NOTHING, cache: open },
    { ...NOTHING, cache: cache({ l2: { hits: 0, misses: 0, errors: 1, state: 'half-open' } }) },
  ]);
  expect(status.cache).toMatchObject({
    processes: 3,
    l1: { hits: 30, entries: 15, bytes: 3_000 },
    l2: { hits: 1, misses: 6, errors: 4, open: 2 },
    loads: 3,
  });
  expect(buildDataStatus(VIEW, [{ ...NOTHING, cache: cache({ l2: null }) }]).cache?.l2).toBeNull();
});

test('deferred writes are summed, the oldest counts', () => {
  const deferred = (pending: number, oldestAgeMs: number | null) => ({
    ...NOTHING,
    deferred: { pending, bytes: pending * 100, oldestAgeMs, deadLetters: 1 },
  });
  expect(buildDataStatus(VIEW, [deferred(2, 500), deferred(0, null), deferred(3, 9_000)]).deferred).toEqual({
    pending: 5,
    bytes: 500,
    oldestAgeMs: 9_000,
    deadLetters: 3,
  });
  expect(buildDataStatus(VIEW, [deferred(0, null)]).deferred?.oldestAgeMs).toBeNull();
});
