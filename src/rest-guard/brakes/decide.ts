export type BrakeLevel = 'off' | 'slow' | 'stop';

/** Counts of the last ten minutes. */
export interface Counts {
  invalid: number;
  /** Answers of any other kind. */
  valid: number;
}

/** Invalid requests of the whole bot, and how many Discord allows. */
export interface Budget {
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

/** What becomes of a request to an endpoint, a route with its channel, guild or webhook, given those before it. Pure. */
export function endpointBrake({ invalid, valid }: Counts, { total, limit }: Budget): BrakeLevel {
  if (invalid <= valid) return 'off';
  if (invalid >= ENDPOINT.stop * limit || total >= TOTAL.stop * limit) return 'stop';
  if (invalid >= ENDPOINT.slow * limit || total >= TOTAL.slow * limit) return 'slow';
  return 'off';
}

/** The same for a route over all channels, guilds or webhooks. Pure. */
export function routeBrake({ invalid, valid }: Counts, { limit }: Budget): BrakeLevel {
  if (invalid < MOSTLY_INVALID * (invalid + valid)) return 'off';
  if (invalid >= ROUTE.stop * limit) return 'stop';
  return invalid >= ROUTE.slow * limit ? 'slow' : 'off';
}
