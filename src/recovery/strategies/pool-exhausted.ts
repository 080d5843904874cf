import { addConnections } from '../steps/servers';
import { MINUTE_MS, type Strategy } from '../strategy';

export const poolExhausted: Strategy = {
  kind: 'act',
  summary: 'Allow more connections, within what the database servers have.',
  steps: [addConnections],
  coolDownMs: 10 * MINUTE_MS,
  maxPerHour: 6,
};
