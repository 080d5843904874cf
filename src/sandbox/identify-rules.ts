export interface Violation {
  at: number;
  shardId: number;
  bucket: number;
  /** ms since the last IDENTIFY of the bucket. */
  afterMs: number;
}

export interface SessionStart {
  total: number;
  remaining: number;
  resetAfterMs: number;
}

const DAY_MS = 86_400_000;
const KEPT = 1_000;

/** Discord's limits on IDENTIFY, applied at the moment it arrives: one per bucket and interval, so many per day. */
export class IdentifyRules {
  readonly violations: Violation[] = [];
  /** Times of the accepted ones, ms since the epoch, with their bucket. The last ones only. */
  readonly accepted: { at: number; shardId: number; bucket: number }[] = [];
  identifies = 0;
  #last = new Map<number, number>();
  #remaining: number;
  #resetAt: number;

  constructor(
    private readonly options: {
      maxConcurrency: number;
      identifyIntervalMs: number;
      sessionStartTotal: number;
      sessionStartRemaining: number;
    },
    private readonly now: () => number = Date.now,
  ) {
    this.#remaining = options.sessionStartRemaining;
    this.#resetAt = now() + DAY_MS;
  }

  get sessionStart(): SessionStart {
    this.#renew();
    return {
      total: this.options.sessionStartTotal,
      remaining: this.#remaining,
      resetAfterMs: this.#resetAt - this.now(),
    };
  }

  /** 'rate': too early for its bucket. 'exhausted': none was left; Discord then resets the token. */
  judge(shardId: number): 'accepted' | 'rate' | 'exhausted' {
    this.#renew();
    const { maxConcurrency, identifyIntervalMs } = this.options;
    const at = this.now();
    const bucket = shardId % maxConcurrency;
    const afterMs = at - (this.#last.get(bucket) ?? Number.NEGATIVE_INFINITY);
    this.identifies++;
    // A refused one counts as well: the interval begins anew.
    this.#last.set(bucket, at);
    if (afterMs < identifyIntervalMs) {
      this.violations.push({ at, shardId, bucket, afterMs });
      return 'rate';
    }
    if (this.#remaining <= 0) return 'exhausted';
    this.#remaining--;
    this.accepted.push({ at, shardId, bucket });
    if (this.accepted.length > KEPT) this.accepted.shift();
    return 'accepted';
  }

  reset(): void {
    this.identifies = 0;
    this.violations.length = 0;
    this.accepted.length = 0;
  }

  #renew(): void {
    if (this.now() < this.#resetAt) return;
    this.#remaining = this.options.sessionStartTotal;
    this.#resetAt = this.now() + DAY_MS;
  }
}
