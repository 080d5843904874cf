/** One cluster of the plan: a contiguous run of shards in one process. */
export interface ClusterPlan {
  id: number;
  shardIds: readonly number[];
}

/** Which shards this host runs, out of how many. */
export interface ShardPlan {
  totalShards: number;
  clusters: readonly ClusterPlan[];
}

/** Decides which shards this host runs. Local implementation: all, or those of the config; later one over Redis. */
export interface ShardAssignment {
  assign(gateway: { shards: number }): ShardRange;
}

export interface ShardRange {
  totalShards: number;
  shardIds: readonly number[];
}

/** Discord closes a shard with 4011 when it would hold more guilds than this. */
export const MAX_GUILDS_PER_SHARD = 2_500;

/** About how many guilds a shard holds at the count that /gateway/bot recommends. */
const GUILDS_PER_RECOMMENDED_SHARD = 1_000;

/** More are of no use, and would be refused for lack of IDENTIFYs. */
export const MAX_SHARDS = 10_000;

/** A shard count that Discord would refuse. The message names the key and the count that works. */
export class ShardCountError extends Error {
  override readonly name = 'ShardCountError';
}

/** Smallest count at which no shard exceeds Discord's limit, derived from the recommended count (about 1,000 guilds each). */
export function minimumShards(recommended: number): number {
  return Math.max(1, Math.ceil((recommended * GUILDS_PER_RECOMMENDED_SHARD) / MAX_GUILDS_PER_SHARD));
}

export interface LocalAssignmentOptions {
  totalShards: number | 'auto';
  /** Only these shards run on this host; absent: all. */
  shards?: readonly number[];
  /** With `auto`: the count of the previous run, kept while clusters or sessions of that run are still alive. */
  previousTotal?: number;
}

export class LocalShardAssignment implements ShardAssignment {
  constructor(private readonly options: LocalAssignmentOptions) {}

  /** @throws ShardCountError when the count lies below what Discord accepts for a bot of this size. */
  assign(gateway: { shards: number }): ShardRange {
    const totalShards = this.#total(gateway.shards);
    const shardIds = this.options.shards ?? Array.from({ length: totalShards }, (_, id) => id);
    return { totalShards, shardIds };
  }

  #total(recommended: number): number {
    const minimum = minimumShards(recommended);
    const { totalShards, previousTotal } = this.options;
    if (totalShards === 'auto') {
      return previousTotal !== undefined && previousTotal >= minimum ? previousTotal : recommended;
    }
    if (totalShards < minimum) {
      throw new ShardCountError(
        `sharding.totalShards is ${totalShards}, but Discord recommends ${recommended} shards for this bot and refuses ` +
          `fewer than about ${minimum} (a shard holds at most ${MAX_GUILDS_PER_SHARD} guilds). ` +
          `Set it to "auto" or to ${recommended} or more.`,
      );
    }
    return totalShards;
  }
}

/** Cuts the shards of this host into clusters of `shardsPerCluster`, in ascending order. */
export function planClusters(range: ShardRange, shardsPerCluster: number): ShardPlan {
  const sorted = [...range.shardIds].sort((a, b) => a - b);
  const clusters: ClusterPlan[] = [];
  for (let at = 0; at < sorted.length; at += shardsPerCluster) {
    clusters.push({ id: clusters.length, shardIds: sorted.slice(at, at + shardsPerCluster) });
  }
  return { totalShards: range.totalShards, clusters };
}

/** Cuts the shards of this host into so many clusters, as even as can be, in ascending order. */
export function planEvenly(range: ShardRange, count: number): ShardPlan {
  const sorted = [...range.shardIds].sort((a, b) => a - b);
  const length = Math.min(count, sorted.length);
  const start = (id: number): number => Math.floor((id * sorted.length) / length);
  const clusters = Array.from({ length }, (_, id) => ({ id, shardIds: sorted.slice(start(id), start(id + 1)) }));
  return { totalShards: range.totalShards, clusters };
}
