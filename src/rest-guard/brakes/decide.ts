export type BrakeLevel = 'off' | 'slow' | 'stop';

/** Counts of the last ten minutes. */
export interface Counts {
  invalid: number;
  /** Answers of any other kind. */
  valid: number;
}

export interface BrakeInput {
  /** One endpoint with its channel, guild or webhook. */
  endpoint: Counts;
  /** The same endpoint over all channels, guilds or webhooks. */
  route: Counts;
  /** Invalid requests of the whole bot, and how many Discord allows. */
  total: number;
  limit: number;
}

/** Shares of the limit. One endpoint may spend 1 %, one route 6 % of it, before it is stopped. */
const ENDPOINT = { slow: 0.005, stop: 0.01 };
const ROUTE = { slow: 0.03, stop: 0.06 };
/** A route that mostly works is not stopped for what a few of its endpoints do. */
const MOSTLY_INVALID = 0.8;
/** From here on every endpoint that is refused is slowed, then stopped, whatever its numbers. */
const TOTAL = { slow: 0.5, stop: 0.75 };
/** From here on nothing but interactions is sent. */
export const HOLD_ALL = 0.9;

/** What becomes of a request, given what became of those before it. Pure. */
export function brakeFor({ endpoint, route, total, limit }: BrakeInput): BrakeLevel {
  const endpointFails = endpoint.invalid > endpoint.valid;
  const routeFails = route.invalid >= MOSTLY_INVALID * (route.invalid + route.valid);
  if (endpointFails && endpoint.invalid >= ENDPOINT.stop * limit) return 'stop';
  if (routeFails && route.invalid >= ROUTE.stop * limit) return 'stop';
  if (endpoint.invalid > 0 && endpointFails && total >= TOTAL.stop * limit) return 'stop';
  if (endpointFails && endpoint.invalid >= ENDPOINT.slow * limit) return 'slow';
  if (routeFails && route.invalid >= ROUTE.slow * limit) return 'slow';
  if (endpoint.invalid > 0 && endpointFails && total >= TOTAL.slow * limit) return 'slow';
  return 'off';
}
