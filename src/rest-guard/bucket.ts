import { FairQueue, type Queued } from './fair-queue';
import type { Route } from './route';

/** What an answer of Discord says about limits. Durations in ms. */
export interface LimitHeaders {
  bucket: string | null;
  limit: number | null;
  remaining: number | null;
  resetAfterMs: number | null;
  /** With a 429. */
  retryAfterMs: number | null;
  scope: 'user' | 'global' | 'shared' | null;
}

type Knowledge = 'nothing' | 'unlimited' | 'limited';

/** Window ends that are nearer to each other than this belong to one window, ms. */
const SAME_WINDOW_MS = 150;
/** A bucket that nobody has used for so long is forgotten, ms. */
const FORGET_MS = 60_000;

/** One of Discord's rate limit buckets: what we know of it, and who waits for it. */
export class Bucket<T extends Queued> {
  readonly waiting = new FairQueue<T>();
  inFlight = 0;
  usedAt = 0;
  #knowledge: Knowledge = 'nothing';
  #limit = 1;
  #remaining = 1;
  #resetAt = 0;
  #blockedUntil = 0;

  /** Whether one more may be sent now. Until the first answer there is one at a time. */
  permits(now: number): boolean {
    if (now < this.#blockedUntil) return false;
    switch (this.#knowledge) {
      case 'unlimited':
        return true;
      case 'nothing':
        return this.inFlight === 0;
      case 'limited':
        return (now >= this.#resetAt ? this.#limit : this.#remaining) > this.inFlight;
    }
  }

  /** When it should be looked at again although no answer has come; null: an answer will say. */
  wakeAt(now: number): number | null {
    const at = Math.max(this.#blockedUntil, this.#knowledge === 'limited' ? this.#resetAt : 0);
    return at > now ? at : null;
  }

  learn(headers: LimitHeaders, status: number, now: number): void {
    const { limit, remaining, resetAfterMs, retryAfterMs, scope } = headers;
    if (status === 429 && scope !== 'global' && retryAfterMs !== null) {
      this.#blockedUntil = Math.max(this.#blockedUntil, now + retryAfterMs);
    }
    if (limit === null || remaining === null || resetAfterMs === null) {
      // An error on the way says nothing about the limits.
      if (this.#knowledge === 'nothing' && status < 500 && status !== 429) this.#knowledge = 'unlimited';
      return;
    }
    const resetAt = now + resetAfterMs;
    const sameWindow = this.#knowledge === 'limited' && Math.abs(resetAt - this.#resetAt) < SAME_WINDOW_MS;
    // Answers overtake each other: within one window the least is the newest.
    this.#remaining = sameWindow ? Math.min(this.#remaining, remaining) : remaining;
    this.#resetAt = sameWindow ? Math.max(this.#resetAt, resetAt) : resetAt;
    this.#limit = Math.max(1, limit);
    this.#knowledge = 'limited';
  }

  isForgettable(now: number): boolean {
    const idle = this.inFlight === 0 && this.waiting.size === 0;
    return idle && now - this.usedAt > FORGET_MS && this.wakeAt(now) === null;
  }
}

/** All buckets, found by what Discord's answers have named them. */
export class Buckets<T extends Queued & { bucket: Bucket<T> }> {
  readonly #hashes = new Map<string, string>();
  readonly #buckets = new Map<string, Bucket<T>>();

  get size(): number {
    return this.#buckets.size;
  }

  of(route: Route, now: number): Bucket<T> {
    // Each interaction is answered once: there is nothing to count.
    if (route.class === 'interactions') return new Bucket();
    const key = `${this.#hashes.get(route.template) ?? route.template}|${route.major}`;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, (bucket = new Bucket()));
    bucket.usedAt = now;
    return bucket;
  }

  /** Discord has named the bucket of this route. Several routes may turn out to share one: their queues become one. */
  name(route: Route, hash: string, bucket: Bucket<T>): Bucket<T> {
    if (route.class === 'interactions') return bucket;
    if (this.#hashes.get(route.template) !== hash) {
      if (this.#hashes.size >= MAX_TEMPLATES) this.#hashes.clear();
      this.#hashes.set(route.template, hash);
    }
    const key = `${hash}|${route.major}`;
    const known = this.#buckets.get(key);
    if (known === undefined) {
      this.#buckets.set(key, bucket);
      return bucket;
    }
    if (known !== bucket) {
      for (let item = bucket.waiting.take(); item !== null; item = bucket.waiting.take()) {
        item.bucket = known;
        known.waiting.add(item);
      }
    }
    return known;
  }

  sweep(now: number): void {
    for (const [key, bucket] of this.#buckets) if (bucket.isForgettable(now)) this.#buckets.delete(key);
  }
}

/** Discord has some hundred routes; more than this is somebody making them up. */
const MAX_TEMPLATES = 5_000;
