import type { Cache, Region, RegionOptions } from '../../../src/data/cache';
import { systemClock } from '../../../src/clock';
import { until } from '../../support/until';
import { deferred, Scene } from './scene';

let scene: Scene;
let passed: number;
/** Real, but can be put forward. */
const clock = { ...systemClock, now: () => systemClock.now() + passed };
beforeEach(() => {
  scene = new Scene();
  passed = 0;
});
afterEach(() => scene.end());

let loads: string[];
function region(
  cache: Cache,
  load: (key: string) => unknown,
  more: Partial<RegionOptions<unknown>> = {},
): Region<unknown> {
  loads = [];
  const counted = (key: string): unknown => {
    loads.push(key);
    return load(key);
  };
  return cache.region<unknown>('things', { ttlMs: 10_000, jitter: 0, ...more, load: counted });
}

describe.each(['without', 'with'])('%s Redis', (how) => {
  let cache: Cache;
  beforeEach(async () => {
    const redis = how === 'with' ? (await scene.redis()).source : null;
    [cache] = (await scene.caches(1, { redis, clock })) as [Cache];
  });

  test('a stale value is served at once while one refresh runs', async () => {
    let version = 1;
    const second = deferred<number>();
    const things = region(cache, () => (version === 1 ? 1 : second.promise), { staleForMs: 10_000 });
    await things.get('k');
    version = 2;
    passed = 11_000;
    await expect(Promise.all(Array.from({ length: 100 }, () => things.get('k')))).resolves.toEqual(Array(100).fill(1));
    await until(() => loads.length === 2);
    second.resolve(2);
    await until(async () => (await things.get('k')) === 2);
    expect(loads).toHaveLength(2);
    expect(things.stats().l1.staleHits).toBeGreaterThanOrEqual(100);
    passed = 50_000;
    await things.get('k');
    expect(loads).toHaveLength(3); // too old to be served
  });

  test('a failed refresh is reported, is not tried at each get, and the stale value serves on', async () => {
    const things = region(cache, () => (loads.length === 1 ? 1 : Promise.reject(new Error('down'))), {
      staleForMs: 10_000,
    });
    await things.get('k');
    passed = 11_000;
    await things.get('k');
    await until(() => scene.errors.some(({ code }) => code === 'REFRESH_FAILED'));
    for (let time = 0; time < 50; time += 1) await expect(things.get('k')).resolves.toBe(1);
    expect(loads).toHaveLength(2);
  });

  test('an error of the loader reaches all who wait, from one load, and is not kept', async () => {
    const things = region(cache, () => Promise.reject(new Error(`load ${loads.length}`)));
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => things.get('k')));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { message: 'load 1' } });
    await expect(things.get('k')).rejects.toThrow('load 2');
    expect(things.stats()).toMatchObject({ loads: 2, loadErrors: 2 });
  });

  test('what is fresh by its source serves when L1 has to ask and the loader fails', async () => {
    const things = region(cache, () => (loads.length === 1 ? 1 : Promise.reject(new Error('down'))), { l1TtlMs: 100 });
    await things.get('k');
    passed = 1_000;
    await expect(things.get('k')).resolves.toBe(1);
  });

  test('"there is nothing" ends before values do, or is not kept at all', async () => {
    const things = region(cache, () => undefined, { negativeTtlMs: 1_000 });
    await things.get('k');
    await things.get('k');
    expect(loads).toHaveLength(1);
    expect(things.stats().l1.negativeHits).toBe(1);
    passed = 1_001;
    await things.get('k');
    expect(loads).toHaveLength(2);
    const unkept = cache.region<unknown>('unkept', {
      ttlMs: 10_000,
      negativeTtlMs: 0,
      load: () => void loads.push('k'),
    });
    await unkept.get('k');
    await unkept.get('k');
    expect(loads).toHaveLength(4);
  });

  test('a load that does not end is given up', async () => {
    let signal: AbortSignal | undefined;
    const hung = cache.region<unknown>('hung', {
      ttlMs: 10_000,
      loadTimeoutMs: 50,
      load: (_, context) => {
        ({ signal } = context);
        return new Promise(() => undefined);
      },
    });
    await expect(hung.get('k')).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' });
    expect(signal?.aborted).toBe(true);
  });

  test('many keys are loaded together, those under way are joined', async () => {
    const asked: (readonly string[])[] = [];
    const things = cache.region<string>('many', {
      ttlMs: 10_000,
      loadMany: (keys) => {
        asked.push(keys);
        return Promise.resolve(new Map(keys.filter((key) => key !== 'none').map((key) => [key, `v ${key}`])));
      },
    });
    await things.get('a');
    const [many, b] = await Promise.all([things.getMany(['a', 'b', 'c', 'none', 'b']), things.get('b')]);
    expect(many).toEqual(new Map(Object.entries({ a: 'v a', b: 'v b', c: 'v c' })));
    expect(b).toBe('v b');
    expect(asked).toEqual([['a'], ['b', 'c', 'none']]);
    await things.getMany(['a', 'b', 'c', 'none']);
    expect(asked).toHaveLength(2);
  });
});

test('TTLs differ by chance', async () => {
  const server = await scene.redis();
  const [cache] = (await scene.caches(1, { redis: server.source })) as [Cache];
  const things = cache.region<number>('things', { ttlMs: 1_000_000, jitter: 0.5, load: () => 1 });
  const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
  await things.getMany(keys);
  const client = server.client();
  const left = await Promise.all(keys.map((key) => client.pttl(`test:{things:${key}}`)));
  client.disconnect();
  expect(new Set(left.map((ms) => Math.round(ms / 1_000))).size).toBeGreaterThan(10);
  expect(Math.min(...left)).toBeGreaterThan(400_000);
  expect(Math.max(...left)).toBeLessThanOrEqual(1_000_000);
});

test('L1 keeps to its bounds', async () => {
  const few = scene.cache({ l1: { maxEntries: 10, maxBytes: 1_000_000 } });
  const small = scene.cache({ l1: { maxEntries: 1_000, maxBytes: 20_000 } });
  for (const cache of [few, small]) {
    const things = cache.region<string>('things', { ttlMs: 10_000, load: (key) => key.repeat(200) });
    for (let index = 0; index < 200; index += 1) await things.get(`key ${index}`);
    const { memory, l1 } = cache.stats();
    expect(memory.entries).toBeLessThanOrEqual(cache === few ? 10 : 20);
    expect(memory.bytes).toBeLessThanOrEqual(20_000);
    expect(memory.entries + l1.evictions).toBe(200);
    await things.get('large'.repeat(10_000)); // more than fits
    expect(cache.stats().memory.bytes).toBeLessThanOrEqual(1_000_000);
  }
});

test('hands out copies where told to', async () => {
  const cache = scene.cache();
  const options = { ttlMs: 10_000, load: () => ({ list: [1] }) };
  const shared = cache.region('shared', options);
  const copied = cache.region('copied', { ...options, clone: true });
  expect(await shared.get('k')).toBe(await shared.get('k'));
  (await copied.get('k'))?.list.push(2);
  await expect(copied.get('k')).resolves.toEqual({ list: [1] });
  const mine = { list: [7] };
  await copied.set('j', mine);
  mine.list.push(8);
  await expect(copied.get('j')).resolves.toEqual({ list: [7] });
});

test('a value without bytes stays in this process', async () => {
  const server = await scene.redis();
  const [a, b] = (await scene.caches(2, { redis: server.source })) as [Cache, Cache];
  const options = { ttlMs: 10_000, load: () => ({ call: (): number => 7 }) };
  const [one, two] = [a.region('things', options), b.region('things', options)];
  expect((await one.get('k'))?.call()).toBe(7);
  expect((await two.get('k'))?.call()).toBe(7);
  await one.set('k', { call: () => 8 });
  expect((await one.get('k'))?.call()).toBe(8);
  expect(scene.errors.map(({ code }) => code)).toContain('VALUE_NOT_SERIALISABLE');
});

test('refuses what makes no sense', async () => {
  const cache = scene.cache();
  expect(() => cache.region('r', { ttlMs: 0 })).toThrow(/ttlMs must be above 0/);
  expect(() => cache.region('r', { ttlMs: 1, jitter: 1 })).toThrow(/jitter/);
  expect(() => cache.region('a{b', { ttlMs: 1 })).toThrow(/no name/);
  const region = cache.region('r', { ttlMs: 1 });
  expect(() => cache.region('r', { ttlMs: 1 })).toThrow(/already/);
  await cache.close();
  await expect(region.get('k')).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(region.set('k', 1)).rejects.toMatchObject({ code: 'CLOSED' });
});
