import type { Fault } from '../fault';

const CLUSTER_SHARDS = 2;

export const clusterFaults: readonly Fault[] = [
  {
    name: 'cluster: kill -9',
    incident: 'cluster-crash',
    visibleAfterMs: 0,
    lastsMs: 0,
    recoversMs: 20_000,
    identifies: CLUSTER_SHARDS,
    mayLose: true,
    inject: async (stage) => {
      process.kill(await stage.clusterPid(1), 'SIGKILL');
      return () => undefined;
    },
  },
  {
    name: 'cluster: endless loop',
    incident: 'cluster-hung',
    also: ['cluster-crash', 'shard-stuck', 'event-loop-lag'],
    visibleAfterMs: 3_500,
    lastsMs: 1_500,
    recoversMs: 30_000,
    identifies: CLUSTER_SHARDS,
    mayLose: true,
    inject: (stage) => {
      stage.harm({ cluster: 2, harm: 'hang' });
      return Promise.resolve(() => stage.harm(null));
    },
  },
  {
    name: 'cluster: caches grow',
    incident: 'memory-pressure',
    visibleAfterMs: 3_000,
    lastsMs: 12_000,
    recoversMs: 90_000,
    identifies: CLUSTER_SHARDS,
    mayLose: true,
    settledCluster: 0,
    inject: (stage) => {
      stage.harm({ cluster: 0, harm: 'cache' });
      return Promise.resolve(() => stage.harm(null));
    },
  },
  {
    name: 'cluster: memory leak',
    incident: 'memory-pressure',
    visibleAfterMs: 3_000,
    lastsMs: 12_000,
    recoversMs: 90_000,
    identifies: CLUSTER_SHARDS,
    mayLose: true,
    settledCluster: 3,
    inject: (stage) => {
      stage.harm({ cluster: 3, harm: 'leak' });
      return Promise.resolve(() => stage.harm(null));
    },
  },
  {
    name: 'cluster: crash loop',
    incident: 'cluster-crash',
    also: ['crash-loop'],
    visibleAfterMs: 500,
    lastsMs: 12_000,
    recoversMs: 40_000,
    // Each try may get as far as its IDENTIFYs: six deaths at most in this time.
    identifies: 7 * CLUSTER_SHARDS,
    mayLose: true,
    inject: (stage) => {
      stage.harm({ cluster: 1, harm: 'die' });
      return Promise.resolve(() => stage.harm(null));
    },
  },
];
