/** How the bot runs at the moment, as far as changes to it have to know. */
export interface Deployment {
  /** Of the whole bot; null: not known yet. */
  totalShards: number | null;
  /** Is the number that of Discord's recommendation? */
  autoShards: boolean;
  /** Shards of this host. */
  localShards: number;
  shardsPerCluster: number;
  clusters: number;
  /** Identify buckets: very large bots need a multiple of it. */
  maxConcurrency: number;
  /** What is left of the day's identifies; null: not known. */
  identifiesLeft: number | null;
  /** Resident memory of the largest cluster; null: not known. */
  clusterBytes: number | null;
  /** Size at which a cluster's heap is full. */
  heapLimitBytes: number | null;
  /** Free memory of the machine or the control group. */
  freeMemoryBytes: number;
  memoryLimitedBy: 'cgroup' | 'host';
  poolMax: number;
  databaseShards: number;
  embeddedPostgres: boolean;
}
