import { reconnectShard, replaceCluster } from '../steps/clusters';
import { MINUTE_MS, type Strategy } from '../strategy';

/** The disconnects of the rule's window count until they are old, so it takes that long to see whether a step has helped. */
const VERIFY_MS = 6 * MINUTE_MS;

export const shardDisconnects: Strategy = {
  kind: 'act',
  summary: 'Resume on a new connection; if it breaks again and again, replace the cluster.',
  steps: [
    { ...reconnectShard, verifyMs: VERIFY_MS },
    { ...replaceCluster, verifyMs: VERIFY_MS },
  ],
  coolDownMs: 10 * MINUTE_MS,
  maxPerHour: 12,
};
