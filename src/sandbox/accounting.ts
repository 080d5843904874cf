import type { Session } from './session';

interface Sent {
  at: number;
  channelId: string;
  /** The sessions that should get it. */
  sessions: Session[];
  deliveredAt: number | null;
  answers: number;
}

export interface EventReport {
  sent: number;
  answered: number;
  /** Not answered yet, but still may be: within the time limit, or waiting for a RESUME. */
  outstanding: number;
  /** Not answered 5 s after the delivery, or their session has ended before the delivery. */
  lost: number;
  /** Answered more than once. */
  doubled: number;
  /** Happened while no session of the shard existed: nobody could have got them. */
  missed: number;
  latencyMs: { p50: number; p99: number; max: number } | null;
}

/** An event that is not answered so long after its delivery counts as lost, ms. */
const ANSWER_LIMIT_MS = 5_000;
/** Answered events are remembered so long, ms, in order to see a second answer. */
const REMEMBERED_MS = 60_000;
const LATENCIES = 10_000;

/** Follows every event that a bot should answer, from the moment it happens until its answer. */
export class Accounting {
  #events = new Map<string, Sent>();
  #openByChannel = new Map<string, Set<string>>();
  #latencies: number[] = [];
  #sent = 0;
  #answered = 0;
  #lost = 0;
  #doubled = 0;
  #missed = 0;
  #lastPrune = 0;

  constructor(private readonly isAlive: (session: Session) => boolean) {}

  sent(id: string, channelId: string, sessions: Session[]): void {
    if (sessions.length === 0) {
      this.#missed++;
      return;
    }
    this.#sent++;
    this.#events.set(id, { at: Date.now(), channelId, sessions, deliveredAt: null, answers: 0 });
    const open = this.#openByChannel.get(channelId) ?? new Set();
    this.#openByChannel.set(channelId, open.add(id));
    this.#prune();
  }

  delivered(id: string): void {
    const event = this.#events.get(id);
    if (event !== undefined) event.deliveredAt = Date.now();
  }

  answered(id: string): void {
    const event = this.#events.get(id);
    if (event === undefined) return;
    event.answers++;
    if (event.answers > 1) {
      this.#doubled++;
      return;
    }
    this.#answered++;
    this.#close(id, event);
    this.#latencies.push(Date.now() - (event.deliveredAt ?? event.at));
    if (this.#latencies.length > LATENCIES) this.#latencies.shift();
  }

  /** A message without a reference answers the oldest open event of its channel. */
  answeredIn(channelId: string): void {
    const [oldest] = this.#openByChannel.get(channelId) ?? [];
    if (oldest !== undefined) this.answered(oldest);
  }

  reset(): void {
    this.#events.clear();
    this.#openByChannel.clear();
    this.#latencies = [];
    this.#sent = this.#answered = this.#lost = this.#doubled = this.#missed = 0;
  }

  /** From now on percentiles are of what comes; nothing else is forgotten. */
  forgetLatencies(): void {
    this.#latencies = [];
  }

  report(): EventReport {
    let outstanding = 0;
    let lost = this.#lost;
    const now = Date.now();
    for (const event of this.#events.values()) {
      if (event.answers > 0) continue;
      if (this.#isLost(event, now)) lost++;
      else outstanding++;
    }
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      sent: this.#sent,
      answered: this.#answered,
      outstanding,
      lost,
      doubled: this.#doubled,
      missed: this.#missed,
      latencyMs: sorted.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) },
    };
  }

  #isLost({ sessions, deliveredAt }: Sent, now: number): boolean {
    const alive = sessions.filter((session) => this.isAlive(session));
    // A session that waits for its RESUME may still deliver it, for the first time or again.
    if (alive.some(({ connected }) => !connected)) return false;
    if (deliveredAt === null) return alive.length === 0;
    return now - deliveredAt > ANSWER_LIMIT_MS;
  }

  #close(id: string, { channelId }: Sent): void {
    const open = this.#openByChannel.get(channelId);
    open?.delete(id);
    if (open?.size === 0) this.#openByChannel.delete(channelId);
  }

  /** Bounds the memory: what is settled for long becomes a number. */
  #prune(): void {
    const now = Date.now();
    if (now - this.#lastPrune < 1_000) return;
    this.#lastPrune = now;
    for (const [id, event] of this.#events) {
      if (now - event.at < REMEMBERED_MS) break;
      if (event.answers === 0) {
        if (!this.#isLost(event, now)) continue;
        this.#lost++;
        this.#close(id, event);
      }
      this.#events.delete(id);
    }
  }
}
