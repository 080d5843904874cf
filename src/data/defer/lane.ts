import type { Entry } from './entry';

export type DeferOutcome = 'done' | 'duplicate' | 'queued';

/** Whoever waits for `defer`. */
export interface Caller {
  resolve(outcome: DeferOutcome): void;
  reject(error: unknown): void;
}

/** An entry on its way. */
export interface Item {
  readonly entry: Entry;
  /** null while it is to be executed at once; then true when it is on disk, false when it is not and left the lane. */
  stored: Promise<boolean> | null;
}

/**
 * The entries of one guild, in order: each begins when the one before it is over. Either none of them is stored or all
 * are, for behind a stored one nothing is executed at once.
 */
export class Lane {
  readonly items: Item[] = [];
  /** Stored entries of others that came while entries were executed at once. */
  readonly held: Item[] = [];
  /** The replayer has it. */
  replaying = false;
  /** Failures of the first entry that are not its shard's. */
  failures = 0;
  /** When the first of those happened that are nobody's known fault, ms since the epoch. */
  unclearSince: number | null = null;

  constructor(readonly guildId: bigint) {}

  get storing(): boolean {
    const last = this.items.at(-1);
    return last !== undefined && last.stored !== null;
  }

  /** The first entry is over. */
  shift(): void {
    this.items.shift();
    this.failures = 0;
    this.unclearSince = null;
  }

  remove(item: Item): void {
    const index = this.items.indexOf(item);
    if (index !== -1) this.items.splice(index, 1);
  }
}
