import type { Clock } from '../../clock';
import type { IdentifyLedger } from './ledger';

/** session_start_limit of /gateway/bot. Durations in ms. */
export interface SessionStartLimit {
  total: number;
  remaining: number;
  reset_after: number;
  max_concurrency: number;
}

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Never spent, whoever asks: at zero Discord ends all sessions and resets the token. */
const LAST_RESORT = 1;

export interface BudgetView {
  total: number;
  remaining: number;
  reserve: number;
  resetAt: number;
}

/**
 * What may still be spent of the daily identify limit: what /gateway/bot said, less what the ledger has spent since, and
 * never more than the ledger's own account of the window (either of the two may be behind).
 */
export class IdentifyBudget {
  #limit: (SessionStartLimit & { asOf: number; windowStart: number; resetAt: number }) | null = null;

  constructor(
    private readonly ledger: IdentifyLedger,
    private readonly clock: Clock,
    /** Share of the total kept back for operators, 0..0.9. */
    private readonly reserveShare: number,
  ) {}

  /** Takes in a fresh answer of /gateway/bot, asked for at `asOf`. */
  reconcile(limit: SessionStartLimit, asOf: number): void {
    const resetAt = asOf + limit.reset_after;
    // reset_after is 0 (or a full day) when no window runs: then only what is spent from now on counts.
    const windowStart = limit.reset_after > 0 ? resetAt - DAY_MS : asOf;
    this.#limit = { ...limit, asOf, windowStart, resetAt };
  }

  view(): BudgetView | null {
    const limit = this.#limit;
    if (limit === null) return null;
    const reserve = Math.floor(limit.total * this.reserveShare);
    const now = this.clock.now();
    if (limit.reset_after > 0 && now >= limit.resetAt) {
      // The window has ended; until the next answer our own account of the new one decides.
      const remaining = Math.max(0, limit.total - this.ledger.spentSince(limit.resetAt));
      return { total: limit.total, remaining, reserve, resetAt: limit.resetAt + DAY_MS };
    }
    const byDiscord = limit.remaining - this.ledger.spentSince(limit.asOf);
    const byLedger = limit.total - this.ledger.spentSince(limit.windowStart);
    return {
      total: limit.total,
      remaining: Math.max(0, Math.min(byDiscord, byLedger)),
      reserve,
      resetAt: limit.resetAt,
    };
  }

  /** null: an identify may be spent now. Otherwise why not, and when to ask again (ms since the epoch). */
  refusal(operator: boolean): { reason: string; until: number } | null {
    const view = this.view();
    if (view === null) return { reason: 'the identify limit is not known yet', until: this.clock.now() + 1_000 };
    const floor = Math.max(LAST_RESORT, operator ? 0 : view.reserve);
    if (view.remaining > floor) return null;
    const until = Math.max(view.resetAt, this.clock.now() + 1_000);
    const kept = operator
      ? 'the last one is never spent'
      : `${view.reserve} are kept in reserve for \`botctl restart\``;
    return { reason: `${view.remaining} of ${view.total} identifies are left today; ${kept}`, until };
  }
}
