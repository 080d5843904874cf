import type { Clock } from '../../clock';
import { noStats } from './cache-stats';
import type { RegionStats } from './cache-stats';
import { CacheError } from './cache-error';
import { Fetcher } from './fetcher';
import type { Flight } from './flight';
import { Keeper } from './keeper';
import { KeyQueue } from './key-queue';
import type { Place } from './level3';
import type { MemoryEntry, MemoryRegion } from './memory-level';
import type { RegionLog, Scope } from './region-log';
import { settle } from './region-options';
import type { GetOptions, RegionOptions, SetOptions, Settings } from './region-options';
import type { RegionParts } from './region-parts';
import { SharedLoad } from './shared-load';
import { Source } from './source';

const HERE: Place = {};

/** One kind of values, with its loader and its times. Keys are any text. */
export class Region<T> {
  readonly #settings: Settings<T>;
  readonly #fetcher: Fetcher<T>;
  readonly #keeper: Keeper<T>;
  readonly #stats: RegionStats = noStats();
  readonly #log: RegionLog;
  readonly #memory: MemoryRegion;
  readonly #clock: Clock;
  #quickHits = 0;
  readonly #writes = new KeyQueue();

  constructor(
    readonly name: string,
    options: RegionOptions<T>,
    private readonly parts: RegionParts,
  ) {
    const settings = settle(name, options);
    const { clock, report, closing } = parts;
    this.#settings = settings;
    this.#log = parts.log.of(name);
    this.#memory = parts.memory.region();
    this.#clock = clock;
    const source = new Source<T>({ region: name, settings, clock, report, closing, stats: this.#stats });
    this.#keeper = new Keeper(name, settings, parts, this.#log, this.#memory);
    this.#fetcher = new Fetcher<T>({
      region: name,
      parts,
      source,
      memory: this.#memory,
      keeper: this.#keeper,
      shared: new SharedLoad(name, settings, parts, this.#keeper, this.#stats),
      log: this.#log,
      stats: this.#stats,
    });
  }

  /**
   * The value, from the nearest level that has it; undefined: there is nothing. Callers share the object in L1 and must
   * not change it (see `clone`).
   * @throws what the loader throws, to all who wait for that load, unless a stale value may be served; CacheError
   */
  get(key: string, options: GetOptions = HERE): Promise<T | undefined> {
    const now = this.#clock.now();
    const entry = this.#memory.get(key, now);
    // The common case by the shortest way; everything that it leaves out is in #getFurther too.
    if (entry !== undefined && entry.settled !== null && entry.order === this.#log.order && now < entry.freshUntil) {
      this.#quickHits += 1;
      // What was kept under this region was a T.
      return entry.settled as Promise<T>;
    }
    return this.#getFurther(key, entry, options);
  }

  /** Those of the keys that have a value. One round trip to L2, and one `loadMany`, for all that L1 lacks. @throws as `get` */
  async getMany(keys: readonly string[], options: GetOptions = HERE): Promise<Map<string, T>> {
    if (this.parts.closing.aborted) throw new CacheError('CLOSED', 'the cache is closed');
    const found = new Map<string, T>();
    const put = (key: string, value: T | undefined): void => {
      if (value !== undefined) found.set(key, value);
    };
    const missing: string[] = [];
    const waits: Promise<void>[] = [];
    for (const key of new Set(keys)) {
      const entry = this.#valid(key, this.#memory.get(key, this.#clock.now()));
      const served = entry === undefined ? undefined : this.#serve(key, entry, options);
      if (served !== undefined) {
        put(key, served.value);
        continue;
      }
      this.#stats.l1.misses += 1;
      const running = this.#fetcher.running(key);
      if (running === undefined) missing.push(key);
      else waits.push(running.then((value) => put(key, this.#copy(value))));
    }
    if (missing.length > 0) {
      const fetched = this.#fetcher.fetchMany(missing, options);
      waits.push(
        fetched.then((values) => {
          for (const [key, value] of values) put(key, this.#copy(value));
        }),
      );
    }
    await Promise.all(waits);
    return found;
  }

  /** Writes through: the store, Redis, this process, then the others hear of it. undefined deletes. @throws what the store throws */
  set(key: string, value: T, { ttlMs, tags, ...place }: SetOptions = {}): Promise<void> {
    if (value === undefined) return this.delete(key, place);
    const { store } = this.#settings;
    const { redis } = this.parts;
    const labels = tags ?? this.#settings.tags?.(key, value) ?? [];
    return this.#write(key, async (flight) => {
      await store?.write(key, value, labels, place);
      const leftMs = this.#keeper.shorten(ttlMs ?? this.#settings.ttlMs);
      const freshUntil = this.#clock.now() + leftMs;
      const entry = { value, tags: labels, freshUntil, stamp: flight.stamp };
      await redis?.write(this.name, key, entry, leftMs + this.#settings.staleForMs);
      return () => this.#keeper.keep(key, value, entry, flight);
    });
  }

  /** Deletes from every level of every process. @throws what the store throws */
  delete(key: string, place: GetOptions = HERE): Promise<void> {
    return this.#write(key, async () => {
      await this.#settings.store?.delete(key, place);
      await this.parts.redis?.delete(this.name, key);
      return () => undefined;
    });
  }

  /** Everything whose key begins so. @throws what the store throws */
  deletePrefix(prefix: string): Promise<void> {
    return this.#invalidate({ kind: 'prefix', pattern: prefix }, () => this.#settings.store?.deletePrefix(prefix));
  }

  /** Everything with that tag. @throws what the store throws */
  deleteTag(tag: string): Promise<void> {
    return this.#invalidate({ kind: 'tag', pattern: tag }, () => this.#settings.store?.deleteTag(tag));
  }

  /** Everything of this region. @throws what the store throws */
  clear(): Promise<void> {
    return this.#invalidate({ kind: 'all', pattern: '' }, () => this.#settings.store?.clear());
  }

  stats(): RegionStats {
    const stats = structuredClone(this.#stats);
    stats.l1.evictions = this.#memory.evictions;
    stats.l1.hits += this.#quickHits;
    return stats;
  }

  /** Another process wrote or deleted the key. */
  heardKey(key: string): void {
    this.#fetcher.supersede(key, { byOther: true });
    this.#memory.delete(key);
  }

  /** Messages may have been missed. */
  heardGap(): void {
    this.#fetcher.supersedeAll();
  }

  #hit(entry: MemoryEntry): T | undefined {
    this.#stats.l1.hits += 1;
    if (entry.value === undefined) this.#stats.l1.negativeHits += 1;
    return this.#handOut(entry);
  }

  #handOut({ value }: MemoryEntry): T | undefined {
    // What was kept under this region was a T.
    return this.#copy(value as T | undefined);
  }

  #copy(value: T | undefined): T | undefined {
    return this.#settings.clone ? structuredClone(value) : value;
  }

  #getFurther(key: string, found: MemoryEntry | undefined, place: Place): Promise<T | undefined> {
    const entry = this.#valid(key, found);
    const served = entry === undefined ? undefined : this.#serve(key, entry, place);
    if (served !== undefined) return Promise.resolve(served.value);
    this.#stats.l1.misses += 1;
    const { closing } = this.parts;
    if (closing.aborted) return Promise.reject(new CacheError('CLOSED', 'the cache is closed'));
    const fetched = this.#fetcher.fetch(key, place);
    return this.#settings.clone ? fetched.then((value) => this.#copy(value)) : fetched;
  }

  /** Compares an entry with the invalidations since it was looked at last. */
  #valid(key: string, entry: MemoryEntry | undefined): MemoryEntry | undefined {
    if (entry === undefined || entry.order === this.#log.order) return entry;
    if (this.#log.holdsLocally(key, entry.tags, entry.order)) {
      entry.order = this.#log.order;
      return entry;
    }
    this.#memory.delete(key);
    return undefined;
  }

  /** From L1, stale values too; undefined: it has to be fetched. */
  #serve(key: string, entry: MemoryEntry, place: Place): { value: T | undefined } | undefined {
    const now = this.#clock.now();
    if (now < entry.freshUntil) return { value: this.#hit(entry) };
    if (now < entry.sourceFreshUntil || now >= entry.staleUntil) return undefined;
    this.#stats.l1.hits += 1;
    this.#stats.l1.staleHits += 1;
    if (now >= entry.retryAt) this.#fetcher.refresh(key, place);
    return { value: this.#handOut(entry) };
  }

  /** @param run returns what is to be done in L1 once nothing older can come in any more */
  #write(key: string, run: (flight: Flight<T>) => Promise<() => void>): Promise<void> {
    if (this.parts.closing.aborted) return Promise.reject(new CacheError('CLOSED', 'the cache is closed'));
    return this.#writes.run(key, () =>
      this.#fetcher.writing(key, async (flight) => {
        try {
          const keep = await run(flight);
          this.#forget(key);
          keep();
        } catch (error) {
          // Whether the store has it is not known: nobody may go on with the old value.
          await this.parts.redis?.delete(this.name, key);
          this.#forget(key);
          throw error;
        } finally {
          await this.parts.sender?.sendKey(this.name, key);
        }
      }),
    );
  }

  #forget(key: string): void {
    this.#fetcher.supersede(key, { byOther: false });
    this.#memory.delete(key);
  }

  async #invalidate(scope: Scope, inStore: () => Promise<void> | undefined): Promise<void> {
    if (this.parts.closing.aborted) throw new CacheError('CLOSED', 'the cache is closed');
    const record = { region: this.name, scope };
    try {
      await inStore();
    } finally {
      const seq = (await this.parts.redis?.append(record)) ?? 0;
      this.parts.log.add(record, seq);
      await this.parts.sender?.sendRecord(record);
    }
  }
}
