import { collectGarbage } from '../steps/memory';
import { replaceCluster } from '../steps/clusters';
import { MINUTE_MS, type Strategy } from '../strategy';

/** A loop that is slow from load stays slow in a fresh process, too: hence seldom. */
export const eventLoopLag: Strategy = {
  kind: 'act',
  summary: 'Collect garbage, then hand the cluster over to a fresh process, which is done once an hour at most.',
  steps: [collectGarbage, replaceCluster],
  coolDownMs: 60 * MINUTE_MS,
  maxPerHour: 12,
};
