import { reconnectShard, replaceCluster } from '../steps/clusters';
import { MINUTE_MS, type Strategy } from '../strategy';

export const shardStuck: Strategy = {
  kind: 'act',
  summary: 'Resume the shard; if it stays deaf, replace its cluster.',
  steps: [reconnectShard, replaceCluster],
  coolDownMs: 5 * MINUTE_MS,
  maxPerHour: 12,
};
