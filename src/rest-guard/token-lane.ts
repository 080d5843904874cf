import { createHash } from 'node:crypto';
import type { Buckets } from './bucket';
import type { RestEvent } from './events';
import { GlobalLimit } from './global-limit';
import { Scheduler, type Job } from './scheduler';

/** `unknown`: a 401 has come, and Discord is being asked whether it is the token's fault. */
export type TokenState = 'good' | 'unknown' | 'refused';

/** A refused token is tried again once in so long, ms: it may have been a fault of Discord's. */
const PROBE_MS = 60_000;

/** The requests of one token: Discord's global limit counts by it, and so does the latch after a 401. */
export class TokenLane {
  readonly scheduler: Scheduler;
  sent = 0;
  #state: TokenState = 'good';
  #probeAt = 0;

  constructor(
    private readonly options: {
      perSecond: number;
      /** When the guard started. */
      startedAt: number;
      buckets: Buckets<Job>;
      now: () => number;
      emit: (event: RestEvent) => void;
      /** Asks Discord about the token: true, refused; false, accepted; null, no answer. */
      isRefused: () => Promise<boolean | null>;
    },
  ) {
    const { perSecond, startedAt, buckets, now } = options;
    this.scheduler = new Scheduler({ buckets, global: new GlobalLimit(perSecond, startedAt), now });
  }

  get isRefused(): boolean {
    return this.#state === 'refused';
  }

  /** A refused token is let through once in a while: is it time? */
  get mayProbe(): boolean {
    return this.options.now() >= this.#probeAt;
  }

  /** Whether a request may be sent now. */
  admits(): boolean {
    if (this.#state !== 'refused') return true;
    if (!this.mayProbe) return false;
    this.#probeAt = this.options.now() + PROBE_MS;
    return true;
  }

  /** An answer to a request with this token. Everything waits until it is known whether a 401 means the token. */
  async answered(status: number): Promise<void> {
    if (status !== 401) {
      if (this.#state === 'refused') this.#set('good');
      return;
    }
    if (this.#state !== 'good') return;
    this.#state = 'unknown';
    this.scheduler.pause(true);
    const refused = await this.options.isRefused();
    this.#set(refused === true ? 'refused' : 'good');
    this.scheduler.pause(false);
  }

  #set(state: 'good' | 'refused'): void {
    const changed = this.#state === 'refused' || state === 'refused';
    this.#state = state;
    this.#probeAt = this.options.now() + PROBE_MS;
    if (changed) this.options.emit({ type: 'rest.unauthorized', refused: state === 'refused' });
  }
}

/** Lanes by token, of which only a hash is kept. */
export class TokenLanes {
  readonly #lanes = new Map<string, TokenLane>();
  #slow = { share: 1, until: 0 };

  constructor(private readonly make: (authorization: string) => TokenLane) {}

  of(authorization: string): TokenLane {
    const key = authorization === '' ? '' : createHash('sha256').update(authorization).digest('base64');
    let lane = this.#lanes.get(key) ?? (this.#lanes.size < MAX_LANES ? undefined : this.#lanes.get(OTHERS));
    if (lane === undefined) {
      lane = this.make(authorization);
      if (this.#slow.share < 1) lane.scheduler.global.slow(this.#slow.share, this.#slow.until);
      this.#lanes.set(this.#lanes.size < MAX_LANES ? key : OTHERS, lane);
    }
    return lane;
  }

  /** Every lane uses only this share of its limit until then. */
  slow(share: number, until: number): void {
    this.#slow = { share, until };
    for (const lane of this.#lanes.values()) lane.scheduler.global.slow(share, until);
  }

  /** The lane that has sent most: the bot's own. */
  get main(): TokenLane | null {
    let main: TokenLane | null = null;
    for (const lane of this.#lanes.values()) if (main === null || lane.sent > main.sent) main = lane;
    return main;
  }
}

/** A bot has one token; some act for users as well. Beyond this they share one lane. */
const MAX_LANES = 1_000;
const OTHERS = 'others';
