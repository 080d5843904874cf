import { eventKey, guildOf, shardOfGuild } from './event-key';

/** Sessions of two generations bring an event within this time of each other, ms. */
export const MAX_SKEW_MS = 1_000;
/** Events of this time before the cut are told to those who take over, ms. */
export const TOLD_MS = 10_000;

/** What a process has told its bot lately, for those who take its guilds over with other shards. */
export class DispatchLog {
  readonly #startedAt: number;
  #entries: { key: string; guild: string | null; at: number }[] = [];

  constructor(
    /** Of the new generation. */
    private readonly totalShards: number,
    private readonly now: () => number = Date.now,
  ) {
    this.#startedAt = now();
  }

  add(t: string, d: unknown): void {
    const key = eventKey(t, d);
    if (key === null) return;
    this.#entries.push({ key, guild: guildOf(t, d), at: this.now() });
    const first = this.#entries[0];
    // Cut off in large pieces: one by one would move the rest each time.
    if (first !== undefined && this.now() - first.at > 2 * TOLD_MS) this.#forget();
  }

  /** What concerns these shards of the new generation, in order, and from when on all of it is known. */
  of(shardIds: readonly number[]): { keys: string[]; since: number } {
    this.#forget();
    const wanted = new Set(shardIds);
    const concerned = this.#entries.filter(({ guild }) => {
      return guild === null || wanted.has(shardOfGuild(guild, this.totalShards));
    });
    const since = Math.max(this.#startedAt, this.now() - TOLD_MS);
    return { keys: concerned.map(({ key }) => key), since };
  }

  #forget(): void {
    const since = this.now() - TOLD_MS;
    const from = this.#entries.findIndex(({ at }) => at >= since);
    this.#entries = from === -1 ? [] : this.#entries.slice(from);
  }
}
