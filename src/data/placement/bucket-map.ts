import { BUCKETS, bucketOf } from './bucket';

export interface Placement {
  version: number;
  /** Database shard of each bucket. */
  buckets: readonly number[];
  /** Guilds that live elsewhere than their bucket. */
  pins: ReadonlyMap<bigint, number>;
}

/** Which database shard a guild is on, as one version of the catalogue tells. Immutable. */
export class BucketMap {
  constructor(private readonly placement: Placement) {
    if (placement.buckets.length !== BUCKETS) {
      throw new Error(`the catalogue has ${placement.buckets.length} buckets, expected ${BUCKETS}`);
    }
  }

  get version(): number {
    return this.placement.version;
  }

  get pins(): ReadonlyMap<bigint, number> {
    return this.placement.pins;
  }

  get buckets(): readonly number[] {
    return this.placement.buckets;
  }

  shardOf(guildId: bigint, bucket = bucketOf(guildId)): number {
    const { pins, buckets } = this.placement;
    const pin = pins.size === 0 ? undefined : pins.get(guildId);
    return pin ?? (buckets[bucket] as number);
  }

  /** How many buckets each shard holds. */
  counts(shards: number): number[] {
    const counts = new Array<number>(shards).fill(0);
    for (const shard of this.placement.buckets) counts[shard] = (counts[shard] ?? 0) + 1;
    return counts;
  }
}
