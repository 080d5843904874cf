/** Exponential delays with jitter. Durations in ms; `jitter` 0.2 means plus or minus 20 %. */
export interface BackoffOptions {
  minMs: number;
  maxMs: number;
  jitter: number;
  random?: () => number;
}

/** Delay before attempt `attempt` (0 is the first retry). */
export function backoffDelay(attempt: number, options: BackoffOptions): number {
  const { minMs, maxMs, jitter, random = Math.random } = options;
  const base = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 40));
  return Math.round(base * (1 + jitter * (2 * random() - 1)));
}
