import { BUCKETS, bucketOf } from '../../../src/data/placement/bucket';
import { BucketMap } from '../../../src/data/placement/bucket-map';
import { initialBuckets, planRebalance } from '../../../src/data/placement/rebalance';
import { snowflakes } from '../support/snowflakes';

const IDS = snowflakes(1_000_000, 7);
const BUCKET = IDS.map((id) => bucketOf(id));

function spread(map: BucketMap, shards: number): number[] {
  const counts = new Array<number>(shards).fill(0);
  IDS.forEach((id, index) => counts[map.shardOf(id, BUCKET[index])]!++);
  return counts;
}

describe.each([4, 8, 16])('a million guilds over %i database shards', (shards) => {
  const map = new BucketMap({ version: 1, buckets: initialBuckets(shards), pins: new Map() });
  const counts = spread(map, shards);

  test('each goes to exactly one shard, and always to the same', () => {
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(IDS.length);
    const again = new BucketMap({ version: 1, buckets: initialBuckets(shards), pins: new Map() });
    expect(IDS.every((id, index) => again.shardOf(id) === map.shardOf(id, BUCKET[index]))).toBe(true);
  });

  test('the fullest holds at most 1.1 times the mean', () => {
    expect(Math.max(...counts) / (IDS.length / shards)).toBeLessThanOrEqual(1.1);
  });

  test('a further shard takes its fair share, and nothing moves between the others', () => {
    const before = initialBuckets(shards);
    const moves = planRebalance(before, shards + 1);
    const after = [...before];
    for (const { bucket, to } of moves) after[bucket] = to;
    const wider = new BucketMap({ version: 2, buckets: after, pins: new Map() });
    const moved = IDS.filter((id, index) => wider.shardOf(id, BUCKET[index]) !== map.shardOf(id, BUCKET[index]));
    expect(moved.every((id) => wider.shardOf(id) === shards)).toBe(true);
    expect(moves.length).toBeLessThanOrEqual(Math.ceil(BUCKETS / (shards + 1)));
    expect(moved.length / IDS.length).toBeLessThanOrEqual(1.1 / (shards + 1));
    const held = wider.counts(shards + 1);
    expect(Math.max(...held) - Math.min(...held)).toBeLessThanOrEqual(1);
  });
});

test('the increments that real ids lack do not empty a bucket', () => {
  const seen = new Set(BUCKET);
  expect(seen.size).toBe(BUCKETS);
});

test('a pin takes its guild elsewhere and no other', () => {
  const [pinned = 0n, other = 0n] = IDS;
  const plain = new BucketMap({ version: 1, buckets: initialBuckets(4), pins: new Map() });
  const elsewhere = (plain.shardOf(pinned) + 1) % 4;
  const map = new BucketMap({ version: 2, buckets: initialBuckets(4), pins: new Map([[pinned, elsewhere]]) });
  expect(map.shardOf(pinned)).toBe(elsewhere);
  expect(map.shardOf(other)).toBe(plain.shardOf(other));
});

describe('rebalancing', () => {
  const apply = (buckets: readonly number[], shards: number, drained?: Set<number>): number[] => {
    const after = [...buckets];
    for (const { bucket, from, to } of planRebalance(buckets, shards, drained)) {
      expect(after[bucket]).toBe(from);
      after[bucket] = to;
    }
    return after;
  };

  test('of what is in balance moves nothing', () => {
    for (const shards of [1, 3, 4, 7]) expect(planRebalance(initialBuckets(shards), shards)).toEqual([]);
  });

  test('empties a drained shard and keeps the rest in balance', () => {
    const after = apply(initialBuckets(4), 4, new Set([3]));
    const held = new BucketMap({ version: 1, buckets: after, pins: new Map() }).counts(4);
    expect(held[3]).toBe(0);
    expect(Math.max(...held.slice(0, 3)) - Math.min(...held.slice(0, 3))).toBeLessThanOrEqual(1);
    expect(planRebalance(after, 4, new Set([3]))).toEqual([]);
  });

  test('brings any placement into balance with the fewest moves', () => {
    const skewed = initialBuckets(2).map((_, bucket) => (bucket < 1_000 ? 0 : 1));
    const moves = planRebalance(skewed, 2);
    expect(moves).toHaveLength(1_000 - 512);
    expect(planRebalance(apply(skewed, 2), 2)).toEqual([]);
  });

  test('refuses to empty every shard', () => {
    expect(() => planRebalance(initialBuckets(2), 2, new Set([0, 1]))).toThrow(/no database shard is left/);
  });
});
