import { clustersOf, shardOf, type FleetCluster } from '../fleet';
import type { StepOutcome } from '../actions';
import { MINUTE_MS, type Step } from '../strategy';

/** States in which a fresh process is on its way already. */
const UNDER_WAY = new Set(['waiting', 'booting', 'starting', 'stopping', 'backoff']);
/** States which a fresh process does not cure, or that somebody wants. */
const HELD = new Set(['fatal', 'stopped', 'crash-loop']);

/** Reconnects the one shard that is concerned. */
export const reconnectShard: Step = {
  name: 'reconnect-shard',
  does: 'Reconnect the shard by RESUME, which spends no identify',
  touches: 'shard',
  needsDiscord: true,
  verifyMs: 45_000,
  pointless: ({ scope, fleet }) => underWay(clustersOf(scope, fleet)),
  run: ({ scope }, actions) => {
    const shard = shardOf(scope);
    return shard === null ? notOneShard() : actions.reconnectShard(shard);
  },
};

/** Replaces the process that the scope is about, by handoff where that is possible. */
export const replaceCluster: Step = {
  name: 'replace-cluster',
  does: 'Hand the sessions of the cluster over to a fresh process',
  touches: 'cluster',
  needsDiscord: true,
  verifyMs: 2 * MINUTE_MS,
  pointless: ({ scope, fleet }) => {
    const clusters = clustersOf(scope, fleet);
    return clusters.length === 1 ? underWay(clusters) : 'no single cluster is to blame';
  },
  run: async ({ scope, fleet }, actions) => {
    const [cluster, ...more] = clustersOf(scope, fleet);
    if (cluster === undefined || more.length > 0) return { ok: false, text: `${scope} is not one cluster` };
    return actions.replaceCluster(cluster.id);
  },
};

function underWay(clusters: readonly FleetCluster[]): string | null {
  const [cluster, ...more] = clusters;
  if (cluster === undefined || more.length > 0) return null;
  if (UNDER_WAY.has(cluster.state)) return `cluster ${cluster.id} is being started already`;
  return HELD.has(cluster.state) ? `cluster ${cluster.id} is held (${cluster.state})` : null;
}

function notOneShard(): Promise<StepOutcome> {
  return Promise.resolve({ ok: false, text: 'no single shard is concerned' });
}
