import type { Counter, Sketch } from './instruments';
import type { Meter } from './meter';
import { Recent } from './recent';
import { snowflakeTime } from './snowflake';

const INTERACTION_KINDS: Readonly<Record<number, string>> = {
  1: 'ping',
  2: 'command',
  3: 'component',
  4: 'autocomplete',
  5: 'modal',
};

/** Discord takes a first response for so long, ms; a little is given for its way. */
const RESPONSE_LIMIT_MS = 3_500;
/** Interactions that wait for their response; beyond it the oldest counts as unanswered. */
const MAX_WAITING = 20_000;
/** A reply to a message counts as response to it within this time, ms; later it is a quotation. */
const REPLY_LIMIT_MS = 60_000;
const MAX_MESSAGES = 10_000;

interface Received {
  id: string;
  type?: number;
}

/** The time of a clock for durations, ms, and that of the wall, ms since the epoch. */
export interface Clocks {
  monotonic: () => number;
  wall: () => number;
}

const SYSTEM: Clocks = { monotonic: () => performance.now(), wall: () => Date.now() };

/**
 * Measures from an interaction or a message to the bot's first response: from its receipt, and from the time at which
 * Discord made it. The latter holds as well as this machine's clock does.
 */
export class ResponseMeter {
  readonly #kinds = new Map<number, Counter>();
  readonly #waiting = new Map<string, number>();
  readonly #messages: Recent;
  readonly #unanswered: Counter;
  readonly #refused: Counter;
  readonly #lost: Counter;
  readonly #latency: Sketch;
  readonly #response: Sketch;
  readonly #replies: Counter;
  readonly #replyFailures: Counter;
  readonly #messageLatency: Sketch;
  readonly #messageResponse: Sketch;

  constructor(
    private readonly meter: Meter,
    private readonly clocks: Clocks = SYSTEM,
    private readonly onAnswered: () => void = () => undefined,
  ) {
    this.#messages = new Recent(REPLY_LIMIT_MS, MAX_MESSAGES, clocks.monotonic());
    this.#unanswered = meter.counter('interaction_failures_total', { reason: 'unanswered' });
    this.#refused = meter.counter('interaction_failures_total', { reason: 'refused' });
    this.#lost = meter.counter('interaction_failures_total', { reason: 'lost' });
    this.#latency = meter.sketch('interaction_latency_seconds');
    this.#response = meter.sketch('interaction_response_seconds');
    this.#replies = meter.counter('message_replies_total');
    this.#replyFailures = meter.counter('message_reply_failures_total');
    this.#messageLatency = meter.sketch('message_latency_seconds');
    this.#messageResponse = meter.sketch('message_response_seconds');
  }

  /** Interactions that the bot works on: without a response, and still in time for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A process that was killed worked on them. */
  lost(interactions: number): void {
    this.#lost.add(interactions);
  }

  interaction({ id, type = 0 }: Received): void {
    let counter = this.#kinds.get(type);
    if (counter === undefined) {
      counter = this.meter.counter('interactions_total', { kind: INTERACTION_KINDS[type] ?? 'other' });
      this.#kinds.set(type, counter);
    }
    counter.add();
    this.#waiting.set(id, this.clocks.monotonic());
    if (this.#waiting.size > MAX_WAITING) this.#giveUp(this.#waiting.keys().next().value);
  }

  message({ id }: Received): void {
    this.#messages.add(id, this.clocks.monotonic());
  }

  /** The bot's first response to an interaction has been taken (or not). */
  interactionAnswered(id: string, ok: boolean): void {
    const receivedAt = this.#waiting.get(id);
    if (receivedAt === undefined) return; // a second response, or none of ours
    this.#waiting.delete(id);
    this.onAnswered();
    if (!ok) {
      this.#refused.add();
      return;
    }
    this.#response.record((this.clocks.monotonic() - receivedAt) / 1_000);
    this.#latency.record(this.#sinceMade(id) / 1_000);
  }

  messageAnswered(id: string, ok: boolean): void {
    const receivedAt = this.#messages.take(id);
    const took = receivedAt === undefined ? Infinity : this.clocks.monotonic() - receivedAt;
    if (took > REPLY_LIMIT_MS) return;
    if (!ok) {
      this.#replyFailures.add();
      return;
    }
    this.#replies.add();
    this.#messageResponse.record(took / 1_000);
    this.#messageLatency.record(this.#sinceMade(id) / 1_000);
  }

  /** Interactions whose time is over count as unanswered. */
  sweep(): void {
    const until = this.clocks.monotonic() - RESPONSE_LIMIT_MS;
    for (const [id, receivedAt] of this.#waiting) {
      if (receivedAt > until) break;
      this.#giveUp(id);
    }
  }

  #giveUp(id: string | undefined): void {
    if (id === undefined || !this.#waiting.delete(id)) return;
    this.#unanswered.add();
    this.onAnswered();
  }

  /** A clock that is behind Discord's must not give times before the beginning. */
  #sinceMade(id: string): number {
    return Math.max(0, this.clocks.wall() - snowflakeTime(id));
  }
}
