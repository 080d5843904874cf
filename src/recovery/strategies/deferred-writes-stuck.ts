import { recyclePool, replayDeferred } from '../steps/servers';
import { MINUTE_MS, type Strategy } from '../strategy';

export const deferredWritesStuck: Strategy = {
  kind: 'act',
  summary: 'Try the deferred writes at once; then over new connections.',
  steps: [replayDeferred, recyclePool],
  coolDownMs: 5 * MINUTE_MS,
  maxPerHour: 12,
};
