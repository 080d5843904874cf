import { setTimeout as delay } from 'node:timers/promises';

const WINDOW_MS = 1_000;
/** What carries its own token does not count to the global limit. */
const EXEMPT = /\/(?:interactions|webhooks)\/\d+\/[^/?]/;

/** Paces the calls of one process while no guard does it for all: its share of the bot's limit, and no more. */
export class DirectPace {
  readonly #turns: number[] = [];

  constructor(
    private readonly perSecond: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** ms until the turn of a call that comes now; its place is taken. */
  take(url: string): number {
    if (EXEMPT.test(url)) return 0;
    const now = this.now();
    const before = this.#turns.length < this.perSecond ? undefined : this.#turns.shift();
    const turn = before === undefined ? now : Math.max(now, before + WINDOW_MS);
    this.#turns.push(turn);
    return turn - now;
  }

  /** Resolves when the turn of this call has come. Rejects when the signal aborts. */
  async wait(url: string, signal: AbortSignal | undefined): Promise<void> {
    const ms = this.take(url);
    if (ms > 0) await delay(ms, undefined, { signal });
  }
}
