import { CacheError, reasonOf } from './cache-error';
import type { RegionStats } from './cache-stats';
import type { ReadEnvelope } from './envelope';
import type { Place } from './level3';
import type { MemoryEntry } from './memory-level';
import type { RegionLog } from './region-log';
import type { Settings } from './region-options';
import type { RegionParts } from './region-parts';
import type { Loaded, LoadOne, Source } from './source';

/** One way from a miss in L1 to a value; shared by all who ask meanwhile. */
export class Flight<T> {
  /** The key was written or deleted meanwhile: what this flight brings must not be kept. */
  superseded = false;
  promise: Promise<T | undefined> = Promise.resolve(undefined);

  /**
   * @param order where the region's log stood at the start
   * @param stamp the newest invalidation known at the start
   */
  constructor(
    readonly order: number,
    readonly stamp: number,
  ) {}
}

/** How L2 is looked at first: by a GET of one's own or as part of an MGET. undefined: L2 is out of use. */
export type Look = () => Promise<ReadEnvelope | null | undefined>;

/** After a failed refresh the stale value is served for so long before the next try, ms. */
const REFRESH_RETRY_MS = 1_000;
/** While nothing is heard from other processes, one looks by oneself this often, ms. */
const DEAF_POLL_MS = 50;
/** Over the lease's own end, so that it is surely over, ms. */
const LEASE_GRACE_MS = 5;

export interface FetcherOptions<T> {
  region: string;
  settings: Settings<T>;
  parts: RegionParts;
  source: Source<T>;
  log: RegionLog;
  stats: RegionStats;
}

/** Everything behind a miss in L1: L2, the lease among processes, the source, and keeping the result if it still counts. */
export class Fetcher<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #refreshes = new Map<string, Flight<T>>();
  /** Writes under way, which a write of another process can overtake too. */
  readonly #writes = new Map<string, Flight<T>>();

  constructor(private readonly options: FetcherOptions<T>) {}

  /** The flight that a get may join: not one from before an invalidation. */
  running(key: string): Promise<T | undefined> | undefined {
    const flight = this.#flights.get(key);
    return flight?.order === this.options.log.order ? flight.promise : undefined;
  }

  fetch(key: string, place: Place): Promise<T | undefined> {
    const { region, parts, source } = this.options;
    const look: Look = async () => parts.redis?.get(region, key);
    return this.running(key) ?? this.start(key, place, look, (name) => source.one(name, place));
  }

  start(key: string, place: Place, look: Look, load: LoadOne<T>): Promise<T | undefined> {
    return this.#launch(this.#flights, key, (flight) => this.#run(key, place, flight, look, load));
  }

  /** Fetches in the background, once at a time; a failure is reported, and keeps the next try off for a while. */
  refresh(key: string, place: Place): void {
    if (this.#refreshes.has(key)) return;
    const { region, parts, source } = this.options;
    const { redis } = parts;
    const load: LoadOne<T> = (name) => source.one(name, place);
    this.#launch(this.#refreshes, key, async (flight) => {
      const entry = await redis?.get(region, key);
      if (entry && this.#freshness(key, entry) === 'fresh') return this.#promote(key, entry, flight);
      return this.#loadShared(key, flight, entry?.identity ?? null, load);
    }).catch((cause: unknown) => {
      const entry = parts.memory.get(this.nameOf(key));
      if (entry !== undefined) entry.retryAt = parts.clock.now() + REFRESH_RETRY_MS;
      const message = `cache region ${region}: a refresh in the background failed: ${reasonOf(cause)}`;
      parts.report(new CacheError('REFRESH_FAILED', message, { cause }));
    });
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

  /** Puts a value into L1, unless something overtook it. */
  keep(key: string, value: T | undefined, about: Kept, flight: Flight<T>): void {
    const { parts, log, settings } = this.options;
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
    };
    parts.memory.set(this.nameOf(key), entry);
  }

  nameOf(key: string): string {
    return `${this.options.region}\0${key}`;
  }

  /** A TTL less its share of chance, ms. */
  shorten(ttlMs: number): number {
    return ttlMs * (1 - Math.random() * this.options.settings.jitter);
  }

  #open(): Flight<T> {
    return new Flight(this.options.log.order, this.options.parts.log.seq);
  }

  #launch(
    flights: Map<string, Flight<T>>,
    key: string,
    run: (flight: Flight<T>) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const flight = this.#open();
    flights.set(key, flight);
    flight.promise = this.#land(flights, key, flight, run);
    return flight.promise;
  }

  async #land(
    flights: Map<string, Flight<T>>,
    key: string,
    flight: Flight<T>,
    run: (flight: Flight<T>) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    try {
      return await run(flight);
    } finally {
      if (flights.get(key) === flight) flights.delete(key);
    }
  }

  async #run(key: string, place: Place, flight: Flight<T>, look: Look, load: LoadOne<T>): Promise<T | undefined> {
    const { parts, stats } = this.options;
    const { redis } = parts;
    if (redis !== null && !redis.usable) await redis.started;
    const entry = redis?.usable === true ? await look() : undefined;
    if (entry !== undefined) {
      const freshness = entry === null ? 'useless' : this.#freshness(key, entry);
      if (entry !== null && freshness !== 'useless') {
        stats.l2.hits += 1;
        if (entry.value === undefined) stats.l2.negativeHits += 1;
        if (freshness === 'stale') stats.l2.staleHits += 1;
        const value = this.#promote(key, entry, flight);
        if (freshness === 'stale') this.refresh(key, place);
        return value;
      }
      stats.l2.misses += 1;
    }
    try {
      return await this.#loadShared(key, flight, entry?.identity ?? null, load);
    } catch (error) {
      const old = this.#stale(key);
      if (old === undefined) throw error;
      stats.l1.staleHits += 1;
      return old.value as T | undefined;
    }
  }

  #freshness(key: string, entry: ReadEnvelope): 'fresh' | 'stale' | 'useless' {
    const { log, parts, settings } = this.options;
    if (!log.holds(key, entry.tags, entry.stamp)) return 'useless';
    const now = parts.clock.now();
    if (now < entry.freshUntil) return 'fresh';
    return entry.value !== undefined && now < entry.freshUntil + settings.staleForMs ? 'stale' : 'useless';
  }

  #promote(key: string, entry: ReadEnvelope, flight: Flight<T>): T | undefined {
    // What T is in L2 was a T when it was put there.
    const value = entry.value as T | undefined;
    this.keep(key, value, entry, flight);
    return value;
  }

  /** What L1 still has for want of better. */
  #stale(key: string): MemoryEntry | undefined {
    const { parts, log } = this.options;
    const entry = parts.memory.get(this.nameOf(key));
    if (entry === undefined || parts.clock.now() >= entry.staleUntil) return undefined;
    return log.holdsLocally(key, entry.tags, entry.order) ? entry : undefined;
  }

  /** Loads under the lease of the key, or waits for the process that has it. */
  async #loadShared(key: string, flight: Flight<T>, useless: Buffer | null, load: LoadOne<T>): Promise<T | undefined> {
    const { region, settings, parts, stats } = this.options;
    const { redis, clock, waiters } = parts;
    const name = this.nameOf(key);
    const deadline = clock.now() + settings.waitMs;
    let unusable = useless;
    while (redis?.usable === true && clock.now() < deadline) {
      const wait = waiters.listen(name);
      const got = await redis.acquire(region, key, settings.leaseMs, unusable);
      if (got?.kind !== 'wait') wait.stop();
      if (got === undefined) break;
      if (got.kind === 'lease') return this.#loadUnderLease(key, flight, got.token, load);
      if (got.kind === 'entry') {
        if (got.entry !== null && this.#freshness(key, got.entry) === 'fresh') {
          return this.#promote(key, got.entry, flight);
        }
        unusable = got.identity;
        continue;
      }
      stats.leaseWaits += 1;
      const most = parts.bus?.connected === true ? got.ms + LEASE_GRACE_MS : DEAF_POLL_MS;
      const end = await wait.ended(Math.max(0, Math.min(most, deadline - clock.now())));
      if (end.kind === 'failed') {
        throw new CacheError('LOAD_FAILED_ELSEWHERE', `the load of ${key} failed in another process: ${end.reason}`);
      }
    }
    const loaded = await load(key);
    this.#keepLoaded(key, loaded, flight);
    return loaded.value;
  }

  async #loadUnderLease(key: string, flight: Flight<T>, token: string, load: LoadOne<T>): Promise<T | undefined> {
    const { region, parts, stats } = this.options;
    const { redis } = parts;
    const stopRenewal = this.#renew(key, token);
    let loaded: Loaded<T>;
    try {
      loaded = await load(key);
    } catch (error) {
      void redis?.release(region, key, token, reasonOf(error));
      throw error;
    } finally {
      stopRenewal();
    }
    const { value, tags } = loaded;
    const freshUntil = this.#freshUntil(loaded);
    const leftMs = freshUntil - parts.clock.now();
    if (leftMs <= 0) {
      void redis?.release(region, key, token, null);
      return value;
    }
    const entry = { value, tags, freshUntil, stamp: flight.stamp };
    const stale = value === undefined ? 0 : this.options.settings.staleForMs;
    const stored = await redis?.fill(region, key, token, entry, leftMs + stale);
    if (stored !== false) {
      this.keep(key, value, entry, flight);
      return value;
    }
    stats.refusedFills += 1;
    const newer = await redis?.get(region, key);
    return newer && this.#freshness(key, newer) === 'fresh' ? this.#promote(key, newer, flight) : value;
  }

  #keepLoaded(key: string, loaded: Loaded<T>, flight: Flight<T>): void {
    const freshUntil = this.#freshUntil(loaded);
    if (freshUntil > this.options.parts.clock.now()) {
      this.keep(key, loaded.value, { tags: loaded.tags, freshUntil }, flight);
    }
  }

  #freshUntil({ value, leftMs }: Loaded<T>): number {
    const { settings, parts } = this.options;
    const ttlMs = this.shorten(value === undefined ? settings.negativeTtlMs : settings.ttlMs);
    return parts.clock.now() + Math.min(ttlMs, leftMs ?? Infinity);
  }

  /** Keeps the lease for as long as the load runs; the returned function ends that. */
  #renew(key: string, token: string): () => void {
    const { region, parts, settings } = this.options;
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel = parts.clock.after(settings.leaseMs / 3, () => {
        void parts.redis?.renew(region, key, token, settings.leaseMs);
        arm();
      });
    };
    arm();
    return () => cancel();
  }
}

/** What is known about a value that L1 is to keep. */
interface Kept {
  tags: readonly string[];
  /** ms since the epoch. */
  freshUntil: number;
}
