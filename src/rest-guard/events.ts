/** What happens in the guard that an operator should hear of, each once per episode. */
export type RestEvent =
  /** A route is slowed down or stopped because of its invalid requests, or let go again. */
  | { type: 'rest.brake'; route: string; level: 'slow' | 'stop' | 'off'; invalid: number; total: number }
  /** All but interactions is held: the ban is near. */
  | { type: 'rest.ban-near'; held: boolean; total: number; limit: number }
  /** Discord has banned this address (its answer has no Retry-After), or answers again. */
  | { type: 'rest.banned'; banned: boolean; forMs: number }
  /** Discord refuses the token: every request with it is answered 401 without being sent; or accepts it again. */
  | { type: 'rest.unauthorized'; refused: boolean }
  /** Discord said 429 for the whole bot: somebody else uses the token, or `globalPerSecond` is too high. */
  | { type: 'rest.global-limit'; retryAfterMs: number }
  /** More requests wait than may; new ones are answered 429. Or no longer. */
  | { type: 'rest.queue-full'; full: boolean; queued: number };

export type RecordedEvent = RestEvent & { seq: number; at: number };

/** Events are kept until the supervisor asks, so many at most. */
const MAX_EVENTS = 200;

export class EventLog {
  readonly #events: RecordedEvent[] = [];
  #seq = 0;

  constructor(private readonly now: () => number = Date.now) {}

  readonly emit = (event: RestEvent): void => {
    this.#events.push({ ...event, seq: ++this.#seq, at: this.now() });
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
  };

  since(seq: number): RecordedEvent[] {
    return this.#events.filter((event) => event.seq > seq);
  }
}
