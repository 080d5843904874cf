import { randomBytes } from 'node:crypto';
import type { Payload } from './world';

/** Where a session's events go while it has a connection. */
export interface Outlet {
  send(text: string): void;
}

export interface Delivery {
  /** The event was written to a connection, for the first time or again. */
  onDelivered: (eventId: string) => void;
}

interface Kept {
  seq: number;
  text: string;
  eventId: string | null;
}

/** One session of the gateway: numbered events, kept for a RESUME, whether or not there is a connection. */
export class Session {
  readonly id = randomBytes(16).toString('hex');
  readonly #kept: Kept[] = [];
  #seq = 0;
  #outlet: Outlet | null = null;
  /** Since when there is no connection, ms since the epoch; null while there is one. */
  #detachedAt: number | null = null;

  constructor(
    readonly shardId: number,
    readonly shardCount: number,
    readonly intents: number,
    readonly token: string,
    private readonly keep: number,
    private readonly delivery: Delivery,
  ) {}

  get connected(): boolean {
    return this.#outlet !== null;
  }

  get detachedAt(): number | null {
    return this.#detachedAt;
  }

  get sequence(): number {
    return this.#seq;
  }

  attach(outlet: Outlet): void {
    this.#outlet = outlet;
    this.#detachedAt = null;
  }

  detach(outlet: Outlet, now: number): void {
    if (this.#outlet !== outlet) return;
    this.#outlet = null;
    this.#detachedAt = now;
  }

  get outlet(): Outlet | null {
    return this.#outlet;
  }

  /** `eventId`: the bot is expected to answer this event. */
  dispatch(t: string, d: Payload, eventId: string | null = null): void {
    const seq = ++this.#seq;
    const text = JSON.stringify({ op: 0, t, s: seq, d });
    this.#kept.push({ seq, text, eventId });
    if (this.#kept.length > this.keep) this.#kept.shift();
    this.#write(text, eventId);
  }

  /** 'invalid': what was missed is no longer kept. 'ahead': the client claims to have seen more than there was. */
  canResume(seq: number): 'yes' | 'invalid' | 'ahead' {
    if (seq > this.#seq) return 'ahead';
    const first = this.#kept[0]?.seq ?? this.#seq + 1;
    return seq >= first - 1 ? 'yes' : 'invalid';
  }

  /** Everything after `seq`, in order, then RESUMED. */
  resume(outlet: Outlet, seq: number): void {
    this.attach(outlet);
    for (const kept of this.#kept) if (kept.seq > seq) this.#write(kept.text, kept.eventId);
    this.#write(JSON.stringify({ op: 0, t: 'RESUMED', s: this.#seq, d: {} }), null);
  }

  #write(text: string, eventId: string | null): void {
    if (this.#outlet === null) return;
    this.#outlet.send(text);
    if (eventId !== null) this.delivery.onDelivered(eventId);
  }
}
