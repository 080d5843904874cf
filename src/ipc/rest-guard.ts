/**
 * What agent, REST guard and supervisor say to each other beside the requests themselves: HTTP over a Unix socket that
 * only its owner can open. A request of the bot goes to the guard with its own path, headers and body.
 *
 * The guard writes `102 Processing` before it sends a request on to Discord. A caller that loses the guard without having
 * seen it knows that Discord never got the request.
 */

/** Part of the boot record: how this cluster reaches the guard. */
export interface RestGuardBoot {
  socketPath: string;
  /** While the guard is not there, each cluster sends at most so many requests per second by itself. */
  directPerSecond: number;
  /** Longest time a request may wait in the guard, ms; the bot's own time-outs begin after it. */
  maxWaitMs: number;
}

/** Which cluster sends: the guard is fair between them. */
export const CLUSTER_HEADER = 'x-botctl-cluster';
/** Time for Discord's answer, ms, counted from the moment the request is sent on. */
export const TIMEOUT_HEADER = 'x-botctl-timeout';
/** On answers that are the guard's own and not Discord's: why. */
export const GUARD_HEADER = 'x-botctl-guard';

/**
 * Why the guard answered by itself:
 * - `queue-full`, `waited`, `banned`: 429 with Retry-After, nothing was sent
 * - `stopped`, `unauthorized`, `unknown-webhook`: the answer that Discord would give again, nothing was sent
 * - `refused`: the request makes no sense to the guard, nothing was sent
 * - `unreachable`: Discord could not be connected to, nothing was sent
 * - `timeout`, `broken`: sent, but no answer came; it may have been done
 */
export const GUARD_ANSWERS = [
  'queue-full',
  'waited',
  'banned',
  'stopped',
  'unauthorized',
  'unknown-webhook',
  'refused',
  'unreachable',
  'timeout',
  'broken',
] as const;

export type GuardAnswer = (typeof GUARD_ANSWERS)[number];

/** GET: answers 204 at once. For the agents' heartbeats. */
export const PING_PATH = '/_guard/ping';
/** GET: answers a `GuardReport`; also tells the guard that a supervisor is there. */
export const REPORT_PATH = '/_guard/report';
/** POST `?share=0.5&forMs=600000`: only this share of the global limit is used for so long. */
export const SLOW_PATH = '/_guard/slow';
