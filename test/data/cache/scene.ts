import { Cache } from '../../../src/data/cache';
import type { CacheError, CacheOptions } from '../../../src/data/cache';
import { RedisServer } from './redis-server';

/** The Redis servers and caches of one test, all ended with it. */
export class Scene {
  readonly errors: CacheError[] = [];
  readonly #caches: Cache[] = [];
  readonly #servers: RedisServer[] = [];

  async redis(...more: string[]): Promise<RedisServer> {
    const server = await RedisServer.start(...more);
    this.#servers.push(server);
    return server;
  }

  /** As another process would have it. */
  cache(change: Partial<CacheOptions> = {}): Cache {
    const cache = new Cache({
      processId: `p${this.#caches.length}`,
      namespace: 'test',
      l1: { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 },
      redis: null,
      notify: null,
      onError: (error) => this.errors.push(error),
      ...change,
    });
    this.#caches.push(cache);
    return cache;
  }

  async caches(count: number, change: Partial<CacheOptions>): Promise<Cache[]> {
    const caches = Array.from({ length: count }, () => this.cache(change));
    await Promise.all(caches.map((cache) => cache.ready()));
    return caches;
  }

  async end(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.close()));
    await Promise.all(this.#servers.map((server) => server.kill()));
  }
}

/** Something that is settled from outside. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
