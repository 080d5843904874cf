import { CacheError, reasonOf } from './cache-error';
import type { RegionStats } from './cache-stats';
import type { Flight } from './flight';
import type { Keeper } from './keeper';
import type { Settings } from './region-options';
import type { RegionParts } from './region-parts';
import type { Loaded, Loader } from './source';

/** While nothing is heard from other processes, one looks by oneself this often, ms. */
const DEAF_POLL_MS = 50;
/** Over the lease's own end, so that it is surely over, ms. */
const LEASE_GRACE_MS = 5;

/**
 * Loads a key once for all processes: the one that gets the key's lease loads, the others wait for what it puts into L2.
 * A write or delete ends the lease, so that a load from before it cannot store its result.
 */
export class SharedLoad<T> {
  constructor(
    private readonly region: string,
    private readonly settings: Settings<T>,
    private readonly parts: RegionParts,
    private readonly keeper: Keeper<T>,
    private readonly stats: RegionStats,
  ) {}

  /**
   * @param useless identity of the entry in L2 that will not do, if there is one
   * @throws what the loader throws; CacheError LOAD_FAILED_ELSEWHERE
   */
  async run(key: string, flight: Flight<T>, useless: Buffer | null, loader: Loader<T>): Promise<T | undefined> {
    const { settings, parts, keeper } = this;
    const { redis, clock, waiters } = parts;
    const deadline = clock.now() + settings.waitMs;
    let unusable = useless;
    while (redis?.usable === true && clock.now() < deadline) {
      const wait = waiters.listen(keeper.nameOf(key));
      const got = await redis.acquire(this.region, key, settings.leaseMs, unusable);
      if (got?.kind !== 'wait') wait.stop();
      if (got === undefined) break;
      if (got.kind === 'lease') return this.#underLease(key, flight, got.token, loader);
      if (got.kind === 'entry') {
        if (got.entry !== null && keeper.freshness(key, got.entry) === 'fresh') {
          return keeper.promote(key, got.entry, flight);
        }
        unusable = got.identity;
        continue;
      }
      this.stats.leaseWaits += 1;
      loader.pass(key);
      const most = parts.bus?.connected === true ? got.ms + LEASE_GRACE_MS : DEAF_POLL_MS;
      const end = await wait.ended(Math.max(0, Math.min(most, deadline - clock.now())));
      if (end.kind === 'failed') {
        throw new CacheError('LOAD_FAILED_ELSEWHERE', `the load of ${key} failed in another process: ${end.reason}`);
      }
    }
    const loaded = await loader.load(key);
    const freshUntil = keeper.freshUntil(loaded);
    if (freshUntil > clock.now()) keeper.keep(key, loaded.value, { tags: loaded.tags, freshUntil }, flight);
    return loaded.value;
  }

  async #underLease(key: string, flight: Flight<T>, token: string, loader: Loader<T>): Promise<T | undefined> {
    const { region, settings, keeper, parts } = this;
    const { redis } = parts;
    const stopRenewal = this.#renew(key, token);
    let loaded: Loaded<T>;
    try {
      loaded = await loader.load(key);
    } catch (error) {
      void redis?.release(region, key, token, reasonOf(error));
      throw error;
    } finally {
      stopRenewal();
    }
    const { value, tags } = loaded;
    const freshUntil = keeper.freshUntil(loaded);
    const leftMs = freshUntil - parts.clock.now();
    if (leftMs <= 0) {
      void redis?.release(region, key, token, null);
      return value;
    }
    const entry = { value, tags, freshUntil, stamp: flight.stamp };
    const stored = await redis?.fill(
      region,
      key,
      token,
      entry,
      leftMs + (value === undefined ? 0 : settings.staleForMs),
    );
    if (stored !== false) {
      keeper.keep(key, value, entry, flight);
      return value;
    }
    this.stats.refusedFills += 1;
    const newer = await redis?.get(region, key);
    return newer && keeper.freshness(key, newer) === 'fresh' ? keeper.promote(key, newer, flight) : value;
  }

  /** Keeps the lease for as long as the load runs; the returned function ends that. */
  #renew(key: string, token: string): () => void {
    const { region, parts, settings } = this;
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
