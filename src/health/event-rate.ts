/** Rates that are remembered, one for each look at a shard that had events: some 15 minutes of them. */
const REMEMBERED = 32;
/** So many must be known before anything is usual. */
const LEARNED = 10;
/** A silence shorter than this, ms, says nothing about a connection. */
const LEAST_SILENCE_MS = 60_000;

/**
 * How often a shard usually has events: the median of its last rates, so that a burst at start does not count. Silence is
 * not learned from, or a deaf shard would become usual; it enters with the event that ends it.
 */
export class EventRate {
  /** Events per ms. */
  readonly #rates: number[] = [];
  #next = 0;
  #last: { events: number; at: number } | null = null;

  /** @param events counted since the process began; @param lastEventAt ms since the epoch */
  learn(events: number, lastEventAt: number): void {
    const last = this.#last;
    if (last !== null && events === last.events) return;
    this.#last = { events, at: lastEventAt };
    // The first count of a process, or of a connection, is where counting begins.
    if (last === null || events < last.events || lastEventAt <= last.at) return;
    this.#rates[this.#next] = (events - last.events) / (lastEventAt - last.at);
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  /** It is not connected: what comes with the next connection (guilds, replayed events) is not usual. */
  pause(): void {
    this.#last = null;
  }

  /** How many events a silence of so many ms has swallowed, by the usual rate. */
  missing(silentMs: number): number {
    return silentMs < LEAST_SILENCE_MS ? 0 : silentMs * this.#usual();
  }

  describe(): string {
    const perMinute = this.#usual() * 60_000;
    return perMinute >= 10 ? `${Math.round(perMinute)} a minute` : `${(perMinute * 60).toFixed(1)} an hour`;
  }

  #usual(): number {
    if (this.#rates.length < LEARNED) return 0;
    const sorted = [...this.#rates].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  }
}
