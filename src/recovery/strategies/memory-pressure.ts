import { replaceCluster } from '../steps/clusters';
import { collectGarbage, dropCaches } from '../steps/memory';
import { MINUTE_MS, type Strategy } from '../strategy';

export const memoryPressure: Strategy = {
  kind: 'act',
  summary: 'Ask the bot to drop its caches, collect garbage, then hand the cluster over to a fresh process.',
  steps: [dropCaches, collectGarbage, replaceCluster],
  coolDownMs: 10 * MINUTE_MS,
  maxPerHour: 18,
};
