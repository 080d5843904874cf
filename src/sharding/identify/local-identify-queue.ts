import type { Clock } from '../../clock';
import type { IdentifyBudget } from './budget';
import type { IdentifyPermit, IdentifyQueue, IdentifyTicket } from './identify-queue';
import type { IdentifyLedger } from './ledger';

/** Durations in ms. */
export interface LocalIdentifyQueueOptions {
  ledger: IdentifyLedger;
  budget: IdentifyBudget;
  clock: Clock;
  /** Discord's pace: one IDENTIFY per bucket in this time. */
  intervalMs: number;
  /** Added to the pace, for packets that travel at unequal speed. */
  marginMs: number;
  maxConcurrency: number;
  /** Asked for a fresh /gateway/bot when the budget refuses or its window ends. */
  onBudgetRefused?: (reason: string) => void;
}

/** A permit that was neither used nor returned by then counts as used: the safe side for the pace. */
const PERMIT_TTL_MS = 30_000;

/**
 * An IDENTIFY may be so long on its way, ms. Discord counts from its arrival, which READY proves; without READY the next
 * one waits this much longer.
 */
const ARRIVAL_LIMIT_MS = 1_000;

/** While Discord is out, the next IDENTIFY after one without an answer is not sent before this time, ms. */
const PROBE_INTERVAL_MS = 60_000;

/** So many shards at the head of each bucket's line may hold an open connection while they wait. */
const LOOKAHEAD = 2;

/** Window in which a shard that identifies over and over goes behind the others. */
const FAIRNESS_WINDOW_MS = 60 * 60 * 1_000;

type Stage = 'waiting' | 'connecting' | 'asking';

interface Entry {
  ticket: IdentifyTicket;
  stage: Stage;
  recent: number;
  order: number;
  onTurn: (() => void) | null;
  onPermit: ((permit: IdentifyPermit) => void) | null;
}

interface Bucket {
  key: number;
  line: Entry[];
  nextAt: number;
  /** The IDENTIFY that was written last, until READY has answered it. */
  unanswered: { shardId: number; holder: string; writtenAt: number } | null;
  inFlight: { holder: string; settle: (outcome: 'used' | 'returned' | 'unknown') => void } | null;
  cancelTimer: (() => void) | null;
}

/**
 * One line per bucket (shard id mod max_concurrency). A bucket's next permit is given one interval after the previous
 * IDENTIFY has arrived at Discord: not before it was written, as its agent reports it, and by the time of its READY at
 * the latest. A busy process or a slow network therefore delays its bucket rather than breaking the pace.
 */
export class LocalIdentifyQueue implements IdentifyQueue {
  #buckets = new Map<number, Bucket>();
  #maxConcurrency: number;
  #order = 0;
  #blocked: string | null = null;
  #halted: string | null = null;
  /** Discord is out: when an IDENTIFY was last tried; null: it is not, or one has been answered since. */
  #probedAt: number | null = null;

  constructor(private readonly options: LocalIdentifyQueueOptions) {
    this.#maxConcurrency = options.maxConcurrency;
  }

  get maxConcurrency(): number {
    return this.#maxConcurrency;
  }

  /** Shards that wait for a turn or a permit. */
  get queued(): number {
    let count = 0;
    for (const bucket of this.#buckets.values()) count += bucket.line.length;
    return count;
  }

  /** Why nothing is granted at the moment, or null. */
  get blocked(): string | null {
    return this.#halted ?? this.#blocked;
  }

  /** Gives no permit until `resume`: a fatal cause is latched. */
  halt(reason: string): void {
    this.#halted = reason;
  }

  resume(): void {
    this.#halted = null;
    this.#pumpAll();
  }

  /**
   * Discord is known to be out: IDENTIFYs go one by one over all buckets, and slowly, until READY has answered one. An
   * outage must not eat the budget of the day.
   */
  caution(on: boolean): void {
    this.#probedAt = on ? -Infinity : null;
    if (!on) this.#pumpAll();
  }

  /** The budget was reconciled: look again. */
  budgetChanged(): void {
    this.#pumpAll();
  }

  /** Discord changed max_concurrency: the lines are laid anew, nobody loses a place. */
  setMaxConcurrency(value: number): void {
    if (value === this.#maxConcurrency) return;
    const entries = [...this.#buckets.values()].flatMap((bucket) => bucket.line);
    for (const bucket of this.#buckets.values()) bucket.cancelTimer?.();
    this.#maxConcurrency = value;
    this.#buckets.clear();
    for (const entry of entries) this.#insert(entry);
    this.#pumpAll();
  }

  turn(ticket: IdentifyTicket, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal));
      const entry = this.#enter(ticket);
      const onAbort = (): void => {
        this.#leave(entry);
        reject(abortError(signal));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      entry.onTurn = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      if (entry.stage !== 'waiting') entry.onTurn();
      this.#pump(this.#bucketOf(ticket.shardId));
    });
  }

  permit(ticket: IdentifyTicket, signal: AbortSignal): Promise<IdentifyPermit> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal));
      const entry = this.#enter(ticket);
      entry.stage = 'asking';
      const onAbort = (): void => {
        this.#leave(entry);
        reject(abortError(signal));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      entry.onPermit = (permit) => {
        signal.removeEventListener('abort', onAbort);
        resolve(permit);
      };
      this.#pump(this.#bucketOf(ticket.shardId));
    });
  }

  /** The connection that was opened for this turn ended before it asked for its permit. */
  forgo(shardId: number, holder: string): void {
    const bucket = this.#bucketOf(shardId);
    bucket.line = bucket.line.filter(({ ticket, stage }) => {
      return ticket.shardId !== shardId || ticket.holder !== holder || stage !== 'connecting';
    });
    this.#pump(bucket);
  }

  /** READY has come for a shard: its IDENTIFY had arrived by now. */
  answered(shardId: number, holder: string): void {
    const bucket = this.#bucketOf(shardId);
    const { unanswered } = bucket;
    if (this.#probedAt !== null) {
      this.#probedAt = null;
      this.#pumpAll();
    }
    if (unanswered?.shardId !== shardId || unanswered.holder !== holder) return;
    const arrivedBy = Math.min(this.options.clock.now(), unanswered.writtenAt + ARRIVAL_LIMIT_MS);
    bucket.unanswered = null;
    bucket.nextAt = Math.max(bucket.nextAt, arrivedBy + this.#pace);
    this.#pump(bucket);
  }

  release(holder: string): void {
    for (const bucket of this.#buckets.values()) {
      bucket.line = bucket.line.filter((entry) => entry.ticket.holder !== holder);
      if (bucket.inFlight?.holder === holder) bucket.inFlight.settle('unknown');
      this.#pump(bucket);
    }
  }

  #enter(ticket: IdentifyTicket): Entry {
    const bucket = this.#bucketOf(ticket.shardId);
    const known = bucket.line.find((e) => e.ticket.shardId === ticket.shardId && e.ticket.holder === ticket.holder);
    if (known !== undefined) {
      known.ticket = ticket;
      return known;
    }
    const since = this.options.clock.now() - FAIRNESS_WINDOW_MS;
    const recent = this.options.ledger.spentByShard(ticket.shardId, since);
    const entry: Entry = { ticket, stage: 'waiting', recent, order: this.#order++, onTurn: null, onPermit: null };
    this.#insert(entry);
    return entry;
  }

  #insert(entry: Entry): void {
    const { line } = this.#bucketOf(entry.ticket.shardId);
    const at = line.findIndex((other) => other.recent > entry.recent);
    line.splice(at === -1 ? line.length : at, 0, entry);
  }

  #leave(entry: Entry): void {
    const bucket = this.#bucketOf(entry.ticket.shardId);
    const at = bucket.line.indexOf(entry);
    if (at !== -1) bucket.line.splice(at, 1);
    this.#pump(bucket);
  }

  #bucketOf(shardId: number): Bucket {
    const key = shardId % this.#maxConcurrency;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      // After a restart of the supervisor the ledger says when this bucket was last used.
      const last = this.options.ledger.lastSpent((shard) => shard % this.#maxConcurrency === key);
      const nextAt = last === null ? 0 : last + ARRIVAL_LIMIT_MS + this.#pace;
      bucket = { key, line: [], nextAt, unanswered: null, inFlight: null, cancelTimer: null };
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  get #pace(): number {
    return this.options.intervalMs + this.options.marginMs;
  }

  #pumpAll(): void {
    for (const bucket of this.#buckets.values()) this.#pump(bucket);
  }

  #pump(bucket: Bucket): void {
    for (const entry of bucket.line.slice(0, LOOKAHEAD)) {
      if (entry.stage !== 'waiting') continue;
      entry.stage = 'connecting';
      entry.onTurn?.();
    }
    bucket.cancelTimer?.();
    bucket.cancelTimer = null;
    if (this.#halted !== null || bucket.inFlight !== null) return;
    const entry = bucket.line.find(({ stage }) => stage === 'asking');
    if (entry === undefined) return;

    const { budget, clock } = this.options;
    const now = clock.now();
    if (bucket.nextAt > now) return this.#pumpAt(bucket, bucket.nextAt);
    if (this.#probedAt !== null && this.#probedAt + PROBE_INTERVAL_MS > now) {
      return this.#pumpAt(bucket, this.#probedAt + PROBE_INTERVAL_MS);
    }
    if (bucket.unanswered !== null) {
      const arrivedAt = bucket.unanswered.writtenAt + ARRIVAL_LIMIT_MS;
      bucket.unanswered = null;
      bucket.nextAt = Math.max(bucket.nextAt, arrivedAt + this.#pace);
      return this.#pumpAt(bucket, bucket.nextAt);
    }
    const refusal = budget.refusal(entry.ticket.operator);
    if (refusal !== null) {
      const known = this.#blocked === refusal.reason;
      this.#blocked = refusal.reason;
      if (!known) this.options.onBudgetRefused?.(refusal.reason);
      return this.#pumpAt(bucket, refusal.until);
    }
    this.#blocked = null;
    this.#grant(bucket, entry);
  }

  #pumpAt(bucket: Bucket, at: number): void {
    bucket.cancelTimer = this.options.clock.after(at - this.options.clock.now(), () => this.#pump(bucket));
  }

  #grant(bucket: Bucket, entry: Entry): void {
    const { clock, ledger } = this.options;
    const { shardId, holder } = entry.ticket;
    bucket.line.splice(bucket.line.indexOf(entry), 1);
    if (this.#probedAt !== null) this.#probedAt = clock.now();
    const ledgerId = ledger.spend(shardId);

    const settle = (outcome: 'used' | 'returned' | 'unknown'): void => {
      if (bucket.inFlight?.settle !== settle) return;
      cancelTtl();
      bucket.inFlight = null;
      // Returned for certain: the pace is not touched. Unknown (the process died): it may have been sent just now.
      if (outcome !== 'returned') bucket.nextAt = clock.now() + this.#pace;
      if (outcome === 'used') bucket.unanswered = { shardId, holder, writtenAt: clock.now() };
      if (outcome !== 'used') ledger.refund(ledgerId);
      // The buckets may have been laid anew since; the pace then belongs to the shard's present bucket.
      const present = this.#bucketOf(shardId);
      present.nextAt = Math.max(present.nextAt, bucket.nextAt);
      present.unanswered = bucket.unanswered;
      this.#pump(present);
    };
    const cancelTtl = clock.after(PERMIT_TTL_MS, () => settle('used'));
    bucket.inFlight = { holder, settle };
    entry.onPermit?.({ shardId, used: () => settle('used'), returned: () => settle('returned') });
  }
}

function abortError(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted');
}
