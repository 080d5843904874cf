import { reconnectRedis, reviveRedis } from '../steps/servers';
import { MINUTE_MS, type Strategy } from '../strategy';

export const redisDown: Strategy = {
  kind: 'act',
  summary: 'Start an embedded Redis again; make new connections. Until then the caches do without it.',
  steps: [reviveRedis, reconnectRedis],
  coolDownMs: MINUTE_MS,
  maxPerHour: 20,
};
