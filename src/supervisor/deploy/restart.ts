import { setTimeout as delay } from 'node:timers/promises';
import { ControlError, type Progress, type RestartRequest } from '../../control/contract';
import type { Cluster } from '../../sharding/cluster/cluster';
import type { Master } from '../../sharding/master';
import { replaceCluster } from './replace';

/** A shard that an operator reconnects has this long to get ready before the command gives up waiting, ms. */
const RECONNECT_TIMEOUT_MS = 120_000;
const POLL_MS = 50;

/**
 * `botctl restart`: all clusters, one, or one shard of it.
 * @throws ControlError when there is no such thing, or it is not ready afterwards
 */
export async function restart(
  master: Master,
  { cluster: only, shard, cold = false }: RestartRequest,
  onProgress: (line: Progress) => void,
): Promise<void> {
  if (shard !== undefined) return reconnect(master, shard, onProgress);
  // A fatal cause holds all clusters; when it is cured, all are started again.
  const all = only === undefined || master.view().fatal !== null;
  const clusters = all ? master.clusters : [clusterOf(master, only)];
  master.clearFatal();
  for (const cluster of clusters) await replaceCluster(cluster, onProgress, { cold });
  const text = `${clusters.length} cluster${clusters.length === 1 ? '' : 's'} restarted`;
  onProgress({ done: true, ok: true, text });
}

async function reconnect(master: Master, shardId: number, onProgress: (line: Progress) => void): Promise<void> {
  const cluster = master.clusterOfShard(shardId);
  if (cluster === undefined) throw new ControlError(404, `There is no shard ${shardId} here.`);
  const before = cluster.shards.find(({ id }) => id === shardId);
  if (!cluster.reconnectShard(shardId)) {
    throw new ControlError(409, `Cluster ${cluster.id} has no agent that could reconnect shard ${shardId}.`);
  }
  onProgress({ done: false, text: `shard ${shardId}: reconnecting` });
  const until = Date.now() + RECONNECT_TIMEOUT_MS;
  while (Date.now() < until) {
    const shard = cluster.shards.find(({ id }) => id === shardId);
    const reconnected = shard !== undefined && before !== undefined && shard.closes > before.closes;
    if (reconnected && shard.state === 'ready') {
      onProgress({ done: true, ok: true, text: `shard ${shardId}: ready` });
      return;
    }
    await delay(POLL_MS);
  }
  throw new ControlError(504, `Shard ${shardId} did not get ready within ${RECONNECT_TIMEOUT_MS / 1_000} s.`);
}

function clusterOf(master: Master, id: number): Cluster {
  const cluster = master.cluster(id);
  if (cluster === undefined) {
    throw new ControlError(404, `There is no cluster ${id}.`, `Clusters are 0 to ${master.clusters.length - 1}.`);
  }
  return cluster;
}
