import { backoffDelay } from '../backoff';

/** Durations in ms. */
export interface RestartPolicyOptions {
  backoffMinMs: number;
  backoffMaxMs: number;
  jitter: number;
  /** More deaths than this within `windowMs` are a crash loop. */
  maxRestarts: number;
  windowMs: number;
  /** How often a cluster in a crash loop is tried again. */
  crashLoopRetryMs: number;
  /** A cluster that stayed ready this long starts again from the smallest delay. */
  stableAfterMs: number;
  random?: () => number;
}

export interface RestartDecision {
  state: 'backoff' | 'crash-loop';
  delayMs: number;
  /** Deaths within the window, this one included. */
  deaths: number;
}

/** Decides when a dead cluster is started again. Pure but for its own history; one instance per cluster. */
export class RestartPolicy {
  #deaths: number[] = [];
  #attempt = 0;

  constructor(private readonly options: RestartPolicyOptions) {}

  /** The cluster died at `now`, after having been ready for `readyForMs` (0: it never was). */
  onDeath(now: number, readyForMs: number): RestartDecision {
    const { windowMs, maxRestarts, crashLoopRetryMs, stableAfterMs, jitter, random } = this.options;
    if (readyForMs >= stableAfterMs) this.#attempt = 0;
    this.#deaths = this.#deaths.filter((at) => now - at < windowMs);
    this.#deaths.push(now);
    const deaths = this.#deaths.length;
    if (deaths > maxRestarts) {
      const retry = { minMs: crashLoopRetryMs, maxMs: crashLoopRetryMs, jitter, ...(random && { random }) };
      return { state: 'crash-loop', delayMs: backoffDelay(0, retry), deaths };
    }
    // It has served, and has not died lately: waiting would cost events and protect nothing.
    if (deaths === 1 && readyForMs > 0) return { state: 'backoff', delayMs: 0, deaths };
    const delayMs = backoffDelay(this.#attempt++, {
      minMs: this.options.backoffMinMs,
      maxMs: this.options.backoffMaxMs,
      jitter,
      ...(random && { random }),
    });
    return { state: 'backoff', delayMs, deaths };
  }

  /** An operator asked for a restart: the past is forgiven. */
  reset(): void {
    this.#deaths = [];
    this.#attempt = 0;
  }
}
