import { addConnectionsWhereShort } from '../steps/servers';
import { MINUTE_MS, type Strategy } from '../strategy';

/** What fails is cut off by the circuit breakers in the clusters; which is where an error rate mostly comes from. */
export const errorRate: Strategy = {
  kind: 'act',
  summary: 'Circuit breakers open on what fails by themselves; allow more connections where callers wait for one.',
  steps: [addConnectionsWhereShort],
  coolDownMs: 15 * MINUTE_MS,
  maxPerHour: 4,
};
