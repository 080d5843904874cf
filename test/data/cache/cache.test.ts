import type { Cache, Region } from '../../../src/data/cache';
import { until } from '../../support/until';
import type { RedisServer } from './redis-server';
import { Scene } from './scene';

let scene: Scene;
let server: RedisServer;
let a: Cache;
let b: Cache;
beforeEach(async () => {
  scene = new Scene();
  server = await scene.redis();
  [a, b] = (await scene.caches(2, { redis: server.source })) as [Cache, Cache];
});
afterEach(() => scene.end());

/** The same region in both processes; the loader tells how often it ran. */
function pair<T>(
  load: (key: string) => Promise<T | undefined> | T | undefined,
  more: object = {},
): { one: Region<T>; two: Region<T>; loads: string[] } {
  const loads: string[] = [];
  const options = {
    ttlMs: 60_000,
    ...more,
    load: (key: string) => {
      loads.push(key);
      return load(key);
    },
  };
  return { one: a.region<T>('things', options), two: b.region<T>('things', options), loads };
}

test('reads through all levels and promotes', async () => {
  const { one, two, loads } = pair((key) => `value of ${key}`);
  await expect(one.get('k')).resolves.toBe('value of k');
  await expect(two.get('k')).resolves.toBe('value of k');
  await expect(two.get('k')).resolves.toBe('value of k');
  expect(loads).toEqual(['k']);
  expect(one.stats()).toMatchObject({ l1: { hits: 0, misses: 1 }, l2: { hits: 0, misses: 1 }, loads: 1 });
  expect(two.stats()).toMatchObject({ l1: { hits: 1, misses: 1 }, l2: { hits: 1, misses: 0 }, loads: 0 });
  expect(a.stats()).toMatchObject({ memory: { entries: 1 }, redis: { breaker: 'closed', errors: 0 } });
});

test('what one process writes or deletes, the others see', async () => {
  const { one, two, loads } = pair(() => 'loaded');
  await one.get('k');
  await two.get('k');
  await one.set('k', 'set');
  await until(async () => (await two.get('k')) === 'set');
  await expect(one.get('k')).resolves.toBe('set');
  await two.delete('k');
  await until(async () => (await one.get('k')) === 'loaded');
  expect(loads).toEqual(['k', 'k']);
});

test.each([
  0,
  '',
  false,
  null,
  NaN,
  Infinity,
  -0,
  12n,
  'text',
  Buffer.from([0, 255]),
  new Date(5),
  [1, undefined, 'x'],
])('keeps %p as it is', async (value) => {
  const { one, two, loads } = pair(() => value);
  await expect(one.get('k')).resolves.toStrictEqual(value);
  await expect(two.get('k')).resolves.toStrictEqual(value);
  await expect(two.get('k')).resolves.toStrictEqual(value);
  expect(loads).toEqual(['k']);
  await one.set('j', value);
  await expect(two.get('j')).resolves.toStrictEqual(value);
});

test('"there is nothing" is kept for its own time', async () => {
  const { one, two, loads } = pair<string>(() => undefined, { negativeTtlMs: 60_000 });
  await expect(one.get('k')).resolves.toBeUndefined();
  await expect(one.get('k')).resolves.toBeUndefined();
  await expect(two.get('k')).resolves.toBeUndefined();
  expect(loads).toEqual(['k']);
  await one.set('k', 'now');
  await until(async () => (await two.get('k')) === 'now');
});

test('tags, prefixes and whole regions go everywhere', async () => {
  const { one, two, loads } = pair((key) => key, { tags: (key: string) => [key.slice(0, 1)] });
  const keys = ['a:1', 'a:2', 'b:1', 'b:2'];
  const warm = async (): Promise<void> => {
    for (const region of [one, two]) expect([...(await region.getMany(keys)).keys()].sort()).toEqual(keys);
    loads.length = 0;
  };
  await warm();
  await one.deleteTag('a');
  await until(() => b.stats().bus?.received === 1);
  await two.getMany(keys);
  await one.getMany(keys);
  expect(loads.sort()).toEqual(['a:1', 'a:2']);
  await warm();
  await two.deletePrefix('b:');
  await until(() => a.stats().bus?.received === 1);
  await one.getMany(keys);
  await two.getMany(keys);
  expect(loads.sort()).toEqual(['b:1', 'b:2']);
  await warm();
  await one.clear();
  await until(() => b.stats().bus?.received === 2);
  await two.getMany(keys);
  expect(loads.sort()).toEqual(keys);
});
