import { CacheError, reasonOf } from './cache-error';
import type { RegionStats } from './cache-stats';
import { identityOf } from './envelope';
import type { ReadEnvelope } from './envelope';
import { Flight } from './flight';
import type { Keeper } from './keeper';
import type { Place } from './level3';
import type { MemoryRegion } from './memory-level';
import type { RegionLog } from './region-log';
import type { RegionParts } from './region-parts';
import type { SharedLoad } from './shared-load';
import type { Loader, Source } from './source';

type Flights<T> = Map<string, Flight<T>>;

/** After a failed refresh the stale value is served for so long before the next try, ms. */
const REFRESH_RETRY_MS = 1_000;

export interface FetcherOptions<T> {
  region: string;
  parts: RegionParts;
  source: Source<T>;
  memory: MemoryRegion;
  keeper: Keeper<T>;
  shared: SharedLoad<T>;
  log: RegionLog;
  stats: RegionStats;
}

/** Everything behind a miss in L1, once at a time for a key; and what writes do to the flights under way. */
export class Fetcher<T> {
  readonly #flights: Flights<T> = new Map();
  readonly #refreshes: Flights<T> = new Map();
  /** Writes under way, which a write of another process can overtake too. */
  readonly #writes: Flights<T> = new Map();

  constructor(private readonly options: FetcherOptions<T>) {}

  /** The flight that a get may join: not one from before an invalidation. */
  running(key: string): Promise<T | undefined> | undefined {
    const flight = this.#flights.get(key);
    return flight?.order === this.options.log.order ? flight.join() : undefined;
  }

  fetch(key: string, place: Place): Promise<T | undefined> {
    const running = this.running(key);
    if (running !== undefined) return running;
    const flight = this.#open();
    this.#flights.set(key, flight);
    const outcome = this.#run(key, place, flight);
    flight.leadsTo(outcome);
    return outcome;
  }

  /** Keys of which none is under way: one look at L2 and one load for all. undefined where there is nothing. */
  async fetchMany(keys: readonly string[], place: Place): Promise<Map<string, T | undefined>> {
    const flights = keys.map((key) => {
      const flight = this.#open();
      this.#flights.set(key, flight);
      return flight;
    });
    const looked = this.#lookMany(keys, place, flights);
    for (const [index, flight] of flights.entries()) {
      const key = keys[index] ?? '';
      flight.leadsTo(() => looked.then(({ found, loads }) => loads.get(key) ?? found.get(key)));
    }
    const { found, loads } = await looked;
    await Promise.all(Array.from(loads, async ([key, load]) => found.set(key, await load)));
    return found;
  }

  /** Fetches in the background, once at a time; a failure is reported, and keeps the next try off for a while. */
  refresh(key: string, place: Place): void {
    if (!this.#refreshes.has(key)) void this.#refresh(key, place);
  }

  /** Watches a key while it is being written. Writes of one key must not overlap. */
  async writing<R>(key: string, run: (flight: Flight<T>) => Promise<R>): Promise<R> {
    const flight = this.#open();
    this.#writes.set(key, flight);
    try {
      return await run(flight);
    } finally {
      this.#writes.delete(key);
    }
  }

  /** The key has a new value or none: what is under way must not be kept, nor joined by those who ask from now on. */
  supersede(key: string, { byOther }: { byOther: boolean }): void {
    for (const flights of [this.#flights, this.#refreshes]) {
      const flight = flights.get(key);
      if (flight !== undefined) flight.superseded = true;
      flights.delete(key);
    }
    const write = byOther ? this.#writes.get(key) : undefined;
    if (write !== undefined) write.superseded = true;
  }

  /** Writes or deletes of other processes may have been missed. */
  supersedeAll(): void {
    for (const flights of [this.#flights, this.#refreshes, this.#writes]) {
      for (const flight of flights.values()) flight.superseded = true;
    }
    this.#flights.clear();
    this.#refreshes.clear();
  }

  #open(): Flight<T> {
    return new Flight(this.options.log.order, this.options.parts.log.seq);
  }

  async #run(key: string, place: Place, flight: Flight<T>): Promise<T | undefined> {
    const { region, parts, source } = this.options;
    const { redis } = parts;
    if (redis !== null && !redis.usable) await redis.started;
    const entry = redis?.usable === true ? await redis.get(region, key) : undefined;
    if (entry && this.#serves(key, entry, flight, place)) {
      this.#end(key, flight);
      return entry.value as T | undefined;
    }
    if (entry !== undefined) this.options.stats.l2.misses += 1;
    return this.#load(key, flight, entry ?? null, source.alone(place));
  }

  /** What L2 has, and loads under way for the rest. Does not reject. */
  async #lookMany(
    keys: readonly string[],
    place: Place,
    flights: readonly Flight<T>[],
  ): Promise<{ found: Map<string, T | undefined>; loads: Map<string, Promise<T | undefined>> }> {
    const { region, parts, source, stats } = this.options;
    const { redis } = parts;
    if (redis !== null && !redis.usable) await redis.started;
    const entries = await redis?.getMany(region, keys);
    const found = new Map<string, T | undefined>();
    const missing: { key: string; flight: Flight<T>; entry: ReadEnvelope | null }[] = [];
    for (const [index, flight] of flights.entries()) {
      const key = keys[index] ?? '';
      const entry = entries?.[index] ?? null;
      if (entry !== null && this.#serves(key, entry, flight, place)) {
        this.#end(key, flight);
        found.set(key, entry.value as T | undefined);
      } else missing.push({ key, flight, entry });
    }
    if (entries !== undefined) stats.l2.misses += missing.length;
    const loads = new Map<string, Promise<T | undefined>>();
    if (missing.length === 0) return { found, loads };
    const loader = source.together(
      missing.map(({ key }) => key),
      place,
    );
    for (const { key, flight, entry } of missing) {
      const load = this.#load(key, flight, entry, loader);
      const pass = (): void => loader.pass(key);
      load.then(pass, pass);
      loads.set(key, load);
    }
    return { found, loads };
  }

  /** Whether an entry of L2 will do; if so, it goes into L1 and is counted, and refreshed if it is stale. */
  #serves(key: string, entry: ReadEnvelope, flight: Flight<T>, place: Place): boolean {
    const { keeper, stats } = this.options;
    const freshness = keeper.freshness(key, entry);
    if (freshness === 'useless') return false;
    stats.l2.hits += 1;
    if (entry.value === undefined) stats.l2.negativeHits += 1;
    keeper.promote(key, entry, flight);
    if (freshness === 'stale') {
      stats.l2.staleHits += 1;
      this.refresh(key, place);
    }
    return true;
  }

  /** @param useless what L2 has, which will not do */
  async #load(key: string, flight: Flight<T>, useless: ReadEnvelope | null, loader: Loader<T>): Promise<T | undefined> {
    const { keeper, stats, shared } = this.options;
    try {
      return await shared.run(key, flight, useless === null ? null : identityOf(useless.bytes), loader);
    } catch (error) {
      const old = keeper.stale(key);
      if (old === undefined) throw error;
      stats.l1.staleHits += 1;
      return old.value as T | undefined;
    } finally {
      this.#end(key, flight);
    }
  }

  #end(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  async #refresh(key: string, place: Place): Promise<void> {
    const { region, parts, keeper, source, shared, memory } = this.options;
    const flight = this.#open();
    this.#refreshes.set(key, flight);
    try {
      const entry = await parts.redis?.get(region, key);
      if (entry && keeper.freshness(key, entry) === 'fresh') keeper.promote(key, entry, flight);
      else await shared.run(key, flight, entry ? identityOf(entry.bytes) : null, source.alone(place));
    } catch (cause) {
      const now = parts.clock.now();
      const entry = memory.get(key, now);
      if (entry !== undefined) entry.retryAt = now + REFRESH_RETRY_MS;
      const message = `cache region ${region}: a refresh in the background failed: ${reasonOf(cause)}`;
      parts.report(new CacheError('REFRESH_FAILED', message, { cause }));
    } finally {
      if (this.#refreshes.get(key) === flight) this.#refreshes.delete(key);
    }
  }
}
