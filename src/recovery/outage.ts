/** What has been seen of the gateway lately, over all shards. Times are ms since the epoch. */
export interface OutageEvidence {
  now: number;
  /** Shards of this host, and how many of them are connected. */
  shards: number;
  connected: number;
  /** Shards whose last attempt to connect was refused within the window. */
  refused: number;
  /** Shards that are connected but get no answer to their IDENTIFY or RESUME. */
  unanswered: number;
  /** Attempts that failed within the window, and when one last succeeded. */
  failures: number;
  lastSuccessAt: number | null;
  /** Outage mode since then; null: it is off. */
  since: number | null;
  /** An operator has ended it: until then it is not entered again. */
  notBefore: number;
}

/** Evidence is older than this, ms, only where it is of a success. */
export const OUTAGE_WINDOW_MS = 60_000;
/** One shard's trouble, or two's, is not Discord's. A bot of fewer shards has no more to show. */
const LEAST_SHARDS = 3;
const LEAST_FAILURES = 5;
/** Share of the shards that must have lost their connection, and that must have it again. */
const LOST_SHARE = 0.5;
const BACK_SHARE = 0.8;

/** Whether Discord itself is out, by what many shards have met. `null`: as it was. Pure. */
export function judgeOutage(evidence: OutageEvidence): 'enter' | 'leave' | null {
  const { now, shards, connected, refused, unanswered, failures, lastSuccessAt, since, notBefore } = evidence;
  const away = shards - connected;
  if (since !== null) {
    const successes = lastSuccessAt !== null && lastSuccessAt > since;
    return successes && connected >= Math.ceil(shards * BACK_SHARE) ? 'leave' : null;
  }
  if (shards === 0 || now < notBefore || away < shards * LOST_SHARE) return null;
  const many = Math.min(LEAST_SHARDS, shards);
  const refuses = refused >= many && failures >= LEAST_FAILURES;
  const isMute = unanswered >= many && unanswered >= shards * LOST_SHARE;
  return refuses || isMute ? 'enter' : null;
}

/** One sentence for the operator. */
export function outageText({ shards, connected, refused, unanswered }: OutageEvidence, reason: string | null): string {
  const what =
    refused > 0 ? `${refused} shards were refused` : `${unanswered} shards get no answer to their IDENTIFY or RESUME`;
  const why = reason === null ? '' : ` (${reason})`;
  return `Discord is out: ${shards - connected} of ${shards} shards are disconnected, ${what}${why}`;
}

interface ShardMemory {
  failedAt: number | null;
}

/** Collects the evidence. */
export class OutageWatch {
  readonly #shards = new Map<number, ShardMemory>();
  #failures: number[] = [];
  #lastSuccessAt: number | null = null;
  #since: number | null = null;
  #notBefore = 0;
  #reason: string | null = null;

  get since(): number | null {
    return this.#since;
  }

  /** Why the last attempt failed. */
  get reason(): string | null {
    return this.#reason;
  }

  /** A shard's attempt to connect went so. */
  attempted(shard: number, reason: string | null, now: number): void {
    this.#shards.set(shard, { failedAt: reason === null ? null : now });
    if (reason === null) this.#lastSuccessAt = now;
    else {
      this.#reason = reason;
      this.#failures.push(now);
    }
  }

  evidence(seen: Pick<OutageEvidence, 'shards' | 'connected' | 'unanswered'>, now: number): OutageEvidence {
    const from = now - OUTAGE_WINDOW_MS;
    this.#failures = this.#failures.filter((at) => at > from && at <= now);
    const refused = [...this.#shards.values()].filter(({ failedAt }) => failedAt !== null && failedAt > from).length;
    return {
      ...seen,
      now,
      refused,
      failures: this.#failures.length,
      lastSuccessAt: this.#lastSuccessAt,
      since: this.#since,
      notBefore: this.#notBefore,
    };
  }

  enter(now: number): void {
    this.#since = now;
  }

  /** @param notBefore until when it is not entered again */
  leave(notBefore = 0): void {
    this.#since = null;
    this.#notBefore = notBefore;
    this.#failures = [];
    this.#shards.clear();
  }
}
