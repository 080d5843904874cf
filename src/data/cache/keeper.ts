import type { ReadEnvelope } from './envelope';
import type { Flight } from './flight';
import type { MemoryEntry, MemoryRegion } from './memory-level';
import type { RegionLog } from './region-log';
import type { Settings } from './region-options';
import type { RegionParts } from './region-parts';
import type { Loaded } from './source';

/** What is known about a value that L1 is to keep. */
export interface Kept {
  tags: readonly string[];
  /** ms since the epoch. */
  freshUntil: number;
}

/** Says how fresh what was found is, and puts it into L1 if it still counts. */
export class Keeper<T> {
  constructor(
    private readonly region: string,
    private readonly settings: Settings<T>,
    private readonly parts: RegionParts,
    private readonly log: RegionLog,
    private readonly memory: MemoryRegion,
  ) {}

  /** Of a key, among those of all regions. */
  nameOf(key: string): string {
    return `${this.region}\0${key}`;
  }

  /** A TTL less its share of chance, ms. */
  shorten(ttlMs: number): number {
    return ttlMs * (1 - Math.random() * this.settings.jitter);
  }

  /** ms since the epoch. */
  freshUntil({ value, leftMs }: Loaded<T>): number {
    const ttlMs = this.shorten(value === undefined ? this.settings.negativeTtlMs : this.settings.ttlMs);
    return this.parts.clock.now() + Math.min(ttlMs, leftMs ?? Infinity);
  }

  freshness(key: string, entry: ReadEnvelope): 'fresh' | 'stale' | 'useless' {
    if (!this.log.holds(key, entry.tags, entry.stamp)) return 'useless';
    const now = this.parts.clock.now();
    if (now < entry.freshUntil) return 'fresh';
    return entry.value !== undefined && now < entry.freshUntil + this.settings.staleForMs ? 'stale' : 'useless';
  }

  /** From L2 into L1. */
  promote(key: string, entry: ReadEnvelope, flight: Flight<T>): T | undefined {
    // What is in L2 was a T when it was put there.
    const value = entry.value as T | undefined;
    this.keep(key, value, entry, flight, entry.bytes.length);
    return value;
  }

  /** Puts a value into L1, unless something overtook it. */
  keep(key: string, value: T | undefined, about: Kept, flight: Flight<T>, encodedBytes?: number): void {
    const { parts, log, settings } = this;
    if (flight.superseded || !log.holdsLocally(key, about.tags, flight.order)) return;
    const ownEnd = parts.clock.now() + this.shorten(settings.l1TtlMs);
    const entry: MemoryEntry = {
      value: settings.clone ? structuredClone(value) : value,
      tags: about.tags,
      freshUntil: Math.min(ownEnd, about.freshUntil),
      sourceFreshUntil: about.freshUntil,
      staleUntil: about.freshUntil + (value === undefined ? 0 : settings.staleForMs),
      order: log.order,
      retryAt: 0,
      settled: settings.clone || value === undefined ? null : Promise.resolve(value),
    };
    this.memory.set(key, entry, encodedBytes);
  }

  /** What L1 still has for want of better. */
  stale(key: string): MemoryEntry | undefined {
    const now = this.parts.clock.now();
    const entry = this.memory.get(key, now);
    if (entry === undefined || now >= entry.staleUntil) return undefined;
    return this.log.holdsLocally(key, entry.tags, entry.order) ? entry : undefined;
  }
}
