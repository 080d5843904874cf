import { addConnectionsWhereShort } from '../steps/servers';
import { MINUTE_MS, type Strategy } from '../strategy';

export const slowResponses: Strategy = {
  kind: 'act',
  summary: 'Allow more connections where callers wait for one.',
  steps: [addConnectionsWhereShort],
  coolDownMs: 15 * MINUTE_MS,
  maxPerHour: 4,
};
