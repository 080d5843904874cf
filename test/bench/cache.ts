/**
 * tsx test/bench/cache.ts: the cache against what it is made of, in one run: lru-cache's own fetch, bare ioredis. Needs a
 * redis-server on PATH; it starts its own.
 */
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import Table from 'cli-table3';
import { LRUCache } from 'lru-cache';
import { Cache } from '../../src/data/cache';
import type { Region } from '../../src/data/cache';
import { RedisServer } from '../data/cache/redis-server';
import { until } from '../support/until';

const ROUNDS = 15;
const KEYS = 1_000;
const CALLERS = 64;
const BATCH = 32;
const WRITES = 200;

interface Profile {
  id: string;
  name: string;
  level: number;
  roles: string[];
  settings: { lang: string; dm: boolean };
  bio: string;
}

function profile(key: string): Profile {
  return {
    id: key,
    name: `name of ${key}`,
    level: 12,
    roles: ['a', 'b', 'c'],
    settings: { lang: 'en', dm: true },
    bio: 'x'.repeat(200),
  };
}

type Work = (round: number) => Promise<number>;

/** Work per round, in alternation; each returns how many operations it did. The median time of one operation, us. */
async function compare<N extends string>(works: Record<N, Work>): Promise<Record<N, number>> {
  const names = Object.keys(works) as N[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<N, number[]>;
  for (let round = 0; round < ROUNDS + 2; round += 1) {
    const order = round % 2 === 0 ? names : [...names].reverse();
    for (const name of order) {
      const begin = performance.now();
      const count = await works[name](round);
      if (round >= 2) times[name].push(((performance.now() - begin) * 1_000) / count); // two to warm up
    }
  }
  const median = (list: number[]): number => list.sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
  return Object.fromEntries(names.map((name) => [name, median(times[name])])) as Record<N, number>;
}

const keys = Array.from({ length: KEYS }, (_, index) => `11810000000${index}`);
const keyAt = (index: number): string => keys[index % KEYS] ?? '';

async function oneByOne(count: number, get: (key: string) => Promise<unknown>): Promise<number> {
  for (let index = 0; index < count; index += 1) await get(keyAt(index));
  return count;
}

async function sideBySide(count: number, get: (key: string) => Promise<unknown>): Promise<number> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) await get(keyAt(next++));
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return count;
}

async function batches(count: number, get: (keys: string[]) => Promise<unknown>): Promise<number> {
  for (let index = 0; index < count; index += 1) {
    const start = (index * BATCH) % KEYS;
    await get(Array.from({ length: BATCH }, (_, offset) => keyAt(start + offset)));
  }
  return count;
}

const us = (value: number): string => `${value.toFixed(2)} us`;

/** Print the table of all comparisons. */
export async function benchCache(): Promise<void> {
  const server = await RedisServer.start();
  const settings = {
    namespace: 'bench',
    l1: { maxEntries: 100_000, maxBytes: 256 * 1024 * 1024 },
    redis: server.source,
    notify: null,
  };
  const cache = new Cache({ ...settings, processId: 'bench' });
  const other = new Cache({ ...settings, processId: 'bench-2' });
  const bare = server.client();
  const subscriber = server.client();
  const lru = new LRUCache<string, Profile>({
    max: 100_000,
    ttl: 600_000,
    fetchMethod: (key) => Promise.resolve(profile(key)),
  });
  try {
    await Promise.all([cache.ready(), other.ready()]);
    const near = cache.region<Profile>('near', { ttlMs: 600_000, load: profile });
    // L1 that keeps nothing: each get goes to L2.
    const far = cache.region<Profile>('far', { ttlMs: 600_000, l1TtlMs: 0.000_001, load: profile });
    for (const key of keys) {
      await near.get(key);
      await far.get(key);
      await lru.fetch(key);
      await bare.set(`bench:bare:${key}`, JSON.stringify(profile(key)));
    }
    const bareGet = async (key: string): Promise<unknown> =>
      JSON.parse((await bare.get(`bench:bare:${key}`)) ?? 'null');
    const table = new Table({
      head: ['operation', 'cache', 'against', 'its time', 'ratio', 'target'],
      style: { head: [], border: [] },
    });

    const l1 = await compare({
      ours: () => oneByOne(100_000, (key) => near.get(key)),
      theirs: () => oneByOne(100_000, (key) => lru.fetch(key)),
    });
    table.push(['L1 hit', us(l1.ours), 'lru-cache fetch', us(l1.theirs), (l1.ours / l1.theirs).toFixed(2), '<= 1.3']);

    const latency = await compare({
      ours: () => oneByOne(2_000, (key) => far.get(key)),
      theirs: () => oneByOne(2_000, bareGet),
    });
    table.push([
      'L2 hit, one caller',
      us(latency.ours),
      'ioredis GET, JSON.parse',
      us(latency.theirs),
      (latency.ours / latency.theirs).toFixed(2),
      '<= 1.15',
    ]);

    const throughput = await compare({
      ours: () => sideBySide(10_000, (key) => far.get(key)),
      theirs: () => sideBySide(10_000, bareGet),
    });
    table.push([
      `L2 hit, ${CALLERS} callers`,
      us(throughput.ours),
      'ioredis GET, JSON.parse',
      us(throughput.theirs),
      `throughput ${(throughput.theirs / throughput.ours).toFixed(2)}`,
      '>= 0.9',
    ]);

    const batch = await compare({
      ours: () => batches(300, (some) => far.getMany(some)),
      own: () => batches(300, (some) => Promise.all(some.map((key) => far.get(key)))),
      bare: () => batches(300, (some) => Promise.all(some.map(bareGet))),
    });
    for (const [name, time] of [
      [`${BATCH} ioredis GETs at once`, batch.bare],
      [`${BATCH} single gets at once`, batch.own],
    ] as const) {
      const ratio = `throughput ${(time / batch.ours).toFixed(2)}`;
      table.push([`batch of ${BATCH} from L2`, us(batch.ours), name, us(time), ratio, '>= 1.5']);
    }

    const watched = other.region<Profile>('near', { ttlMs: 600_000, load: profile });
    await subscriber.subscribe('bench:written');
    const seen = await compare({
      ours: (round) => written(round, near, watched),
      theirs: async () => {
        for (let n = 0; n < WRITES; n += 1) {
          const arrived = once(subscriber, 'message');
          await bare.set('bench:bare:written', JSON.stringify(profile('written')));
          await bare.publish('bench:written', 'written');
          await arrived;
        }
        return WRITES;
      },
    });
    table.push([
      'write, seen by another cache',
      us(seen.ours),
      'ioredis SET, PUBLISH, message',
      us(seen.theirs),
      (seen.ours / seen.theirs).toFixed(2),
      '',
    ]);

    await server.kill();
    await until(() => cache.stats().redis?.breaker !== 'closed');
    table.push(await withoutRedis(far, cache, 'dead'));
    await server.start();
    await until(() => cache.stats().redis?.breaker === 'closed');
    await server.hang();
    await far.get('to find out');
    table.push(await withoutRedis(far, cache, 'hanging'));
    await server.goOn();
    console.log(`\nCache, median of ${ROUNDS} rounds, ${KEYS} profiles of about 350 bytes\n${table.toString()}`);
  } finally {
    bare.disconnect();
    subscriber.disconnect();
    await Promise.all([cache.close(), other.close()]);
    await server.kill();
  }
}

/** Writes by one cache; each is over when another one, which had the old value in memory, gives the new one. */
async function written(round: number, near: Region<Profile>, watched: Region<Profile>): Promise<number> {
  for (let n = 0; n < WRITES; n += 1) {
    const level = round * WRITES + n + 1;
    await near.set('written', { ...profile('written'), level });
    while ((await watched.get('written'))?.level !== level) await nextTurn();
  }
  return WRITES;
}

/** A get with an expired L1 entry, whose loader answers at once: what the missing Redis adds is in it. */
async function withoutRedis(region: Region<Profile>, cache: Cache, how: string): Promise<string[]> {
  const plain = (key: string): Promise<Profile> => Promise.resolve(profile(key));
  const { ours, theirs } = await compare({
    ours: () => oneByOne(5_000, (key) => region.get(key)),
    theirs: () => oneByOne(5_000, plain),
  });
  if (cache.stats().redis?.breaker === 'closed') throw new Error(`Redis is ${how}, but in use`);
  return [`get and load, Redis ${how}`, us(ours), 'the loader alone', us(theirs), us(ours), '<= 100 us'];
}
