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
}

/** Bytes of an entry beside its value: the key, the record, the LRU's slots. */
const ENTRY_BYTES = 200;

/** L1: all regions of this process in one LRU. Whether an entry is fresh is for the region to say: that is more than one date. */
export class MemoryLevel {
  readonly #lru: LRUCache<string, MemoryEntry>;
  readonly #onEviction = new Map<string, () => void>();

  constructor({ maxEntries, maxBytes }: MemoryOptions) {
    this.#lru = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      dispose: (_, key, reason) => {
        if (reason === 'evict') this.#onEviction.get(key.slice(0, key.indexOf('\0')))?.();
      },
    });
  }

  /** @param name region, NUL, key */
  get(name: string): MemoryEntry | undefined {
    return this.#lru.get(name);
  }

  set(name: string, entry: MemoryEntry): void {
    const size = ENTRY_BYTES + name.length * 2 + estimateBytes(entry.value);
    this.#lru.set(name, entry, { size });
  }

  delete(name: string): void {
    this.#lru.delete(name);
  }

  clear(): void {
    this.#lru.clear();
  }

  /** Calls `fn` for each entry of a region that has to give way to others. */
  onEviction(region: string, fn: () => void): void {
    this.#onEviction.set(region, fn);
  }

  /** Entries and estimated bytes; expired ones that nobody asked for count until they are pushed out. */
  get size(): { entries: number; bytes: number } {
    return { entries: this.#lru.size, bytes: this.#lru.calculatedSize };
  }
}
