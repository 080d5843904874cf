/** Discord's window is 1 s; whose clock starts it is not known. */
const WINDOW_MS = 1_000;
/**
 * Added to the window for a request whose answer is slow, ms: it has reached Discord within this time, we assume. It
 * begins wide and narrows while all goes well, which is worth some percent of the limit; a 429 widens it again.
 */
const MARGIN_MS = { first: 250, least: 50, most: 400 };
/** How often it narrows by a tenth, ms, and how long a 429 keeps it from narrowing further than it was, ms. */
const NARROW_EVERY_MS = 10_000;
const REMEMBER_MS = 10 * 60_000;

/** A request that counts; `answered` may bring its end forward. */
export interface Slot {
  freeAt: number;
}

/**
 * Never more than `perSecond` requests within any second, as Discord's clock sees it. A request reaches Discord between
 * our sending it and its answer; so its place is free again one second after the answer, or after the margin if that
 * comes first.
 */
export class GlobalLimit {
  /** Ring of the last `perSecond` requests: the oldest one decides when the next may go. */
  readonly #slots: Slot[];
  #next = 0;
  /** Slowed down: until when, and the time between two requests. */
  #slowUntil = 0;
  #spacingMs = 0;
  #lastTake = -Infinity;
  #blockedUntil = 0;
  #marginMs = MARGIN_MS.first;
  #narrowedAt: number;
  #lastHit = -Infinity;
  /** What was too narrow. */
  #floorMs = MARGIN_MS.least;

  /** @param startedAt a guard that has just started does not know what its predecessor sent: it waits one window */
  constructor(
    readonly perSecond: number,
    startedAt: number,
  ) {
    this.#slots = Array.from({ length: perSecond }, () => ({ freeAt: startedAt + WINDOW_MS + MARGIN_MS.least }));
    this.#narrowedAt = startedAt;
  }

  /** When the next request may be sent, ms on the clock of `now`. */
  get freeAt(): number {
    const free = Math.max(this.#blockedUntil, this.#slots[this.#next]?.freeAt ?? 0);
    const spaced = this.#lastTake + this.#spacingMs;
    return spaced > free ? Math.max(free, Math.min(spaced, this.#slowUntil)) : free;
  }

  /** Only this share of the limit is used, evenly spread, until then. */
  slow(share: number, until: number): void {
    this.#slowUntil = until;
    this.#spacingMs = WINDOW_MS / Math.max(1, this.perSecond * share);
  }

  /** Requests that may be sent at this moment. */
  remaining(now: number): number {
    if (now < this.#blockedUntil) return 0;
    return this.#slots.reduce((free, slot) => free + (slot.freeAt <= now ? 1 : 0), 0);
  }

  /** To be called when `freeAt` has come. */
  take(now: number): Slot {
    this.#narrow(now);
    this.#lastTake = now;
    if (now >= this.#slowUntil) this.#spacingMs = 0;
    const slot = { freeAt: now + WINDOW_MS + this.#marginMs };
    this.#slots[this.#next] = slot;
    this.#next = (this.#next + 1) % this.perSecond;
    return slot;
  }

  answered(slot: Slot, now: number): void {
    // Slots are looked at in the order of sending: one that is free early waits for those before it.
    slot.freeAt = Math.min(slot.freeAt, now + WINDOW_MS);
  }

  /** Discord has said 429 for everything. */
  hit(now: number, retryAfterMs: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, now + retryAfterMs);
    // Requests that were under way together are refused together: that is one hit.
    if (now - this.#lastHit > WINDOW_MS) {
      this.#floorMs = Math.min(MARGIN_MS.most, this.#marginMs * 1.25);
      this.#marginMs = Math.min(MARGIN_MS.most, this.#marginMs * 2);
    }
    this.#lastHit = now;
    this.#narrowedAt = now;
  }

  #narrow(now: number): void {
    if (now - this.#narrowedAt < NARROW_EVERY_MS) return;
    this.#narrowedAt = now;
    if (now - this.#lastHit > REMEMBER_MS) this.#floorMs = MARGIN_MS.least;
    this.#marginMs = Math.max(this.#floorMs, this.#marginMs * 0.9);
  }
}
