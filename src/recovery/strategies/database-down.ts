import { recyclePool, revivePostgres } from '../steps/servers';
import { MINUTE_MS, type Strategy } from '../strategy';

export const databaseDown: Strategy = {
  kind: 'act',
  summary: 'Start an embedded server again; replace the connections and replay what was deferred.',
  steps: [revivePostgres, recyclePool],
  coolDownMs: MINUTE_MS,
  maxPerHour: 20,
};
