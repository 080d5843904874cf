/** What an invalidation hits: all of a region, keys that begin with a prefix, or entries with a tag. */
export interface Scope {
  kind: 'all' | 'prefix' | 'tag';
  /** Empty for `all`. */
  pattern: string;
}

interface Mark {
  /** Order in which this process came to know. */
  order: number;
  /** Number that Redis gave; 0 without Redis. */
  seq: number;
}

/** Marks kept per region; older ones are folded into one that hits everything before them. */
const MAX_MARKS = 5_000;

/**
 * The invalidations of one region, as far as this process knows. Entries are not looked for when one arrives: each entry
 * carries where the log stood when it was asked for, and whoever reads it compares. That holds in L1 by `order` and in
 * L2, across processes, by `seq`.
 */
export class RegionLog {
  /** Grows with each invalidation. Read at each get, hence a field. */
  order = 0;
  #seq = 0;
  #all: Mark = { order: 0, seq: 0 };
  readonly #tags = new Map<string, Mark>();
  readonly #prefixes = new Map<string, Mark>();
  /** Lengths that prefixes have, so that a key is compared by few look-ups. */
  readonly #lengths = new Set<number>();

  /** @param seq Redis's number, 0 while it has none */
  add({ kind, pattern }: Scope, seq: number): void {
    this.order += 1;
    this.#seq = Math.max(this.#seq, seq);
    if (kind === 'all' || (kind === 'prefix' && pattern === '')) {
      this.#forgetBefore(seq);
      this.#all = { order: this.order, seq: Math.max(this.#all.seq, seq) };
      return;
    }
    const marks = kind === 'tag' ? this.#tags : this.#prefixes;
    const older = marks.get(pattern);
    marks.delete(pattern); // so that the map's order is that of time
    marks.set(pattern, { order: this.order, seq: Math.max(older?.seq ?? 0, seq) });
    if (kind === 'prefix') this.#lengths.add(pattern.length);
    if (marks.size > MAX_MARKS) this.#fold(marks);
  }

  /** Nothing in L1 from before counts any more; what L2 holds is not touched. */
  dropLocal(): void {
    this.order += 1;
    this.#all = { order: this.order, seq: this.#all.seq };
  }

  /** Entries of L2 stamped below `seq` count no more: what happened before it is not known. */
  raiseFloor(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
    this.#all = { order: this.#all.order, seq: Math.max(this.#all.seq, seq) };
  }

  /** Whether an entry of L1 that was asked for at `order` still counts. */
  holdsLocally(key: string, tags: readonly string[], order: number): boolean {
    return order >= this.order || this.#holds(key, tags, (mark) => mark.order <= order);
  }

  /** Whether an entry of L2 still counts. */
  holds(key: string, tags: readonly string[], stamp: number): boolean {
    return stamp >= this.#seq || this.#holds(key, tags, (mark) => mark.seq <= stamp);
  }

  #holds(key: string, tags: readonly string[], isOlder: (mark: Mark) => boolean): boolean {
    if (!isOlder(this.#all)) return false;
    for (const tag of tags) {
      const mark = this.#tags.get(tag);
      if (mark !== undefined && !isOlder(mark)) return false;
    }
    for (const length of this.#lengths) {
      const mark = length > key.length ? undefined : this.#prefixes.get(key.slice(0, length));
      if (mark !== undefined && !isOlder(mark)) return false;
    }
    return true;
  }

  /** Marks that the new one for the whole region covers. A mark with a higher number stays. */
  #forgetBefore(seq: number): void {
    for (const marks of [this.#tags, this.#prefixes]) {
      for (const [pattern, mark] of marks) if (mark.seq <= seq) marks.delete(pattern);
    }
    this.#measure();
  }

  #fold(marks: Map<string, Mark>): void {
    let left = Math.ceil(MAX_MARKS / 2);
    let { order, seq } = this.#all;
    for (const [pattern, mark] of marks) {
      if (left-- === 0) break;
      order = Math.max(order, mark.order);
      seq = Math.max(seq, mark.seq);
      marks.delete(pattern);
    }
    this.#all = { order, seq };
    this.#measure();
  }

  #measure(): void {
    this.#lengths.clear();
    for (const pattern of this.#prefixes.keys()) this.#lengths.add(pattern.length);
  }
}
