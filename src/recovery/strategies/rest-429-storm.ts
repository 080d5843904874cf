import { MINUTE_MS, type Step, type Strategy } from '../strategy';

const SLOW_MS = 10 * MINUTE_MS;

const halveRest: Step = {
  name: 'slow-rest',
  does: "Send REST calls at half of Discord's limit for ten minutes",
  touches: 'nothing',
  needsDiscord: false,
  verifyMs: 2 * MINUTE_MS,
  run: (_, actions) => actions.slowRest(0.5, SLOW_MS),
};

const quarterRest: Step = {
  ...halveRest,
  name: 'slow-rest-more',
  does: "Send REST calls at a fifth of Discord's limit for ten minutes",
  run: (_, actions) => actions.slowRest(0.2, SLOW_MS),
};

export const rest429Storm: Strategy = {
  kind: 'act',
  summary: 'The guard waits and brakes by itself; slow all REST calls down, then more.',
  steps: [halveRest, quarterRest],
  coolDownMs: 5 * MINUTE_MS,
  maxPerHour: 12,
};

/** Discord bans the address for 24 hours: what is sent meanwhile matters more than speed. */
export const invalidRequests: Strategy = {
  kind: 'act',
  summary: "The guard brakes the routes that Discord refuses; send all REST calls at a fifth of Discord's limit.",
  steps: [quarterRest],
  coolDownMs: 5 * MINUTE_MS,
  maxPerHour: 12,
};
