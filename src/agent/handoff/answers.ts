/** What a handoff was to Discord's events, by the clock of this machine, ms. */
export interface Answered {
  /** When the last shard had its first event, or RESUMED where it had missed none. */
  heardAt: number;
  /** When the last shard had everything that it had missed. */
  caughtUpAt: number;
}

export interface AnswersOptions {
  shardIds: Iterable<number>;
  /** The first shard has its session. */
  onFirst: () => void;
  /** All have one. null: Discord has refused a session, and the shard has identified. */
  onSettled: (answered: Answered | null) => void;
  now?: () => number;
}

/** Discord's answers to the RESUMEs of a successor: first what a shard has missed, then RESUMED. */
export class Answers {
  readonly #silent: Set<number>;
  readonly #behind: Set<number>;
  readonly #now: () => number;
  #heardAt = 0;
  #first = true;
  #refused = false;

  constructor(private readonly options: AnswersOptions) {
    this.#silent = new Set(options.shardIds);
    this.#behind = new Set(this.#silent);
    this.#now = options.now ?? Date.now;
  }

  /** A shard has been told of something. */
  event(shardId: number): void {
    if (this.#silent.delete(shardId)) this.#heardAt = this.#now();
  }

  resumed(shardId: number): void {
    this.event(shardId);
    this.#established(shardId);
  }

  /** The shard has a new session. */
  identified(shardId: number): void {
    this.#refused = true;
    this.#established(shardId);
  }

  #established(shardId: number): void {
    if (this.#first) {
      this.#first = false;
      this.options.onFirst();
    }
    if (!this.#behind.delete(shardId) || this.#behind.size > 0) return;
    this.options.onSettled(this.#refused ? null : { heardAt: this.#heardAt, caughtUpAt: this.#now() });
  }
}
