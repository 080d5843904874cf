import { BUCKETS } from './bucket';

export interface BucketMove {
  bucket: number;
  from: number;
  to: number;
}

/** The first placement: every shard gets as many buckets as every other, give or take one. */
export function initialBuckets(shards: number): number[] {
  return Array.from({ length: BUCKETS }, (_, bucket) => bucket % shards);
}

/**
 * The fewest moves after which all shards in use hold equally many buckets, give or take one.
 * @param buckets shard of each bucket at present
 * @param shards number of database shards in the config
 * @param drained shards that shall hold none afterwards
 */
export function planRebalance(
  buckets: readonly number[],
  shards: number,
  drained: ReadonlySet<number> = new Set(),
): BucketMove[] {
  const used = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !drained.has(shard));
  if (used.length === 0) throw new Error('no database shard is left to hold the buckets');
  const held = new Map<number, number[]>(used.map((shard) => [shard, []]));
  const homeless: { bucket: number; from: number }[] = [];
  buckets.forEach((shard, bucket) => {
    const mine = held.get(shard);
    if (mine === undefined) homeless.push({ bucket, from: shard });
    else mine.push(bucket);
  });
  // Who holds most keeps the larger share, so that nothing moves without need.
  const byHeld = [...used].sort((a, b) => (held.get(b)?.length ?? 0) - (held.get(a)?.length ?? 0));
  const share = Math.floor(buckets.length / used.length);
  const larger = buckets.length % used.length;
  const quota = new Map(byHeld.map((shard, index) => [shard, share + (index < larger ? 1 : 0)]));
  for (const [shard, mine] of held) {
    for (const bucket of mine.slice(quota.get(shard))) homeless.push({ bucket, from: shard });
  }
  const moves: BucketMove[] = [];
  for (const shard of used) {
    const room = (quota.get(shard) ?? 0) - (held.get(shard)?.length ?? 0);
    for (const { bucket, from } of homeless.splice(0, Math.max(0, room))) moves.push({ bucket, from, to: shard });
  }
  return moves;
}
