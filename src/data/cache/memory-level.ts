import { LRUCache } from 'lru-cache';
import { estimateBytes } from './memory-size';

export interface MemoryOptions {
  /** Entries of all regions together. */
  maxEntries: number;
  /** Estimated bytes of all regions together; a value larger than that is not kept. */
  maxBytes: number;
}

/** What L1 keeps: the value itself, by reference. */
export interface MemoryEntry {
  /** undefined: there is nothing. */
  readonly value: unknown;
  readonly tags: readonly string[];
  /** ms since the epoch: served without a look elsewhere. */
  freshUntil: number;
  /** ms since the epoch: the loader's answer counts as fresh; L1's own time may end before. */
  readonly sourceFreshUntil: number;
  /** ms since the epoch: served when nothing better can be had. */
  readonly staleUntil: number;
  /** Where the region's log stood when the value was asked for; renewed when compared. */
  order: number;
  /** ms since the epoch: no refresh in the background before, as one has just failed. */
  retryAt: number;
  /** What a hit hands out, made once; null where each hit needs more than that. */
  readonly settled: Promise<unknown> | null;
}

/** Bytes of an entry beside its value: the key, the record, the LRU's slots. */
const ENTRY_BYTES = 200;
/** What JSON or V8's format becomes in memory, about. */
const MEMORY_PER_ENCODED = 2;

/** An entry with the way back to where it is found. */
class Held implements MemoryEntry {
  /** ms since the epoch. */
  usedAt = 0;
  value: unknown;
  tags: readonly string[] = [];
  freshUntil = 0;
  sourceFreshUntil = 0;
  staleUntil = 0;
  order = 0;
  retryAt = 0;
  settled: Promise<unknown> | null = null;

  constructor(
    readonly owner: MemoryRegion,
    readonly key: string,
  ) {}

  /** In place: a new object would have to go through the LRU, at three times the price. */
  become(entry: MemoryEntry): void {
    this.value = entry.value;
    this.tags = entry.tags;
    this.freshUntil = entry.freshUntil;
    this.sourceFreshUntil = entry.sourceFreshUntil;
    this.staleUntil = entry.staleUntil;
    this.order = entry.order;
    this.retryAt = entry.retryAt;
    this.settled = entry.settled;
  }
}

type Lru = LRUCache<Held, Held>;

/**
 * L1: one LRU, so that all regions share the bounds. Each region finds its entries by the bot's own key, which a joint map
 * could not do without making a new text for each get. Whether an entry is fresh is for the region to say.
 */
export class MemoryLevel {
  readonly #lru: Lru;

  constructor({ maxEntries, maxBytes }: MemoryOptions) {
    this.#lru = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      dispose: (entry, _, reason) => entry.owner.drop(entry, reason === 'evict'),
    });
  }

  /** How many entries that were. */
  clear(): number {
    const { size } = this.#lru;
    this.#lru.clear();
    return size;
  }

  region(): MemoryRegion {
    return new MemoryRegion(this.#lru);
  }

  /** Entries and estimated bytes; expired ones that nobody asked for count until they are pushed out. */
  get size(): { entries: number; bytes: number } {
    return { entries: this.#lru.size, bytes: this.#lru.calculatedSize };
  }
}

/** One region's part of L1. */
export class MemoryRegion {
  /** Entries that had to give way to others. */
  evictions = 0;
  readonly #entries = new Map<string, Held>();

  constructor(private readonly lru: Lru) {}

  /** @param now ms since the epoch; uses within one of them count as one, which spares the LRU most of its work */
  get(key: string, now: number): MemoryEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.usedAt !== now) {
      entry.usedAt = now;
      this.lru.get(entry);
    }
    return entry;
  }

  /** @param encodedBytes what L2 needs for the value, where that is known; else it is estimated */
  set(key: string, entry: MemoryEntry, encodedBytes?: number): void {
    let held = this.#entries.get(key);
    if (held === undefined) {
      held = new Held(this, key);
      this.#entries.set(key, held);
    }
    held.become(entry);
    const bytes = encodedBytes === undefined ? estimateBytes(entry.value) : encodedBytes * MEMORY_PER_ENCODED;
    this.lru.set(held, held, { size: ENTRY_BYTES + key.length * 2 + bytes });
    if (!this.lru.has(held)) this.#entries.delete(key); // larger than all of L1
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.lru.delete(entry);
  }

  /** The LRU let go of an entry. */
  drop(entry: { readonly key: string }, evicted: boolean): void {
    this.#entries.delete(entry.key);
    if (evicted) this.evictions += 1;
  }
}
