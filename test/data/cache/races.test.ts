import type { Cache, Region } from '../../../src/data/cache';
import { until } from '../../support/until';
import { deferred, Scene } from './scene';

let scene: Scene;
let a: Cache;
let b: Cache;
let loader: ReturnType<typeof deferred<string>>;
let started: number;
let one: Region<string>;
let two: Region<string>;
beforeEach(async () => {
  scene = new Scene();
  const { source } = await scene.redis();
  [a, b] = (await scene.caches(2, { redis: source })) as [Cache, Cache];
  loader = deferred();
  started = 0;
  const first = loader.promise;
  const load = (): Promise<string> => ((started += 1) === 1 ? first : Promise.resolve('loaded later'));
  const options = { ttlMs: 60_000, tags: () => ['t'], load };
  one = a.region('things', options);
  two = b.region('things', options);
});
afterEach(() => scene.end());

/** A get whose loader has begun and not ended. */
async function loading(): Promise<Promise<string | undefined>> {
  const get = one.get('k');
  await until(() => started === 1);
  return get;
}

test.each(['this', 'another'])(
  'a write by %s process during a load is not overwritten by what the load brings',
  async (who) => {
    const get = loading();
    await until(() => started === 1);
    await (who === 'this' ? one : two).set('k', 'written');
    loader.resolve('old');
    await get;
    await until(async () => (await one.get('k')) === 'written');
    await expect(two.get('k')).resolves.toBe('written');
    expect(started).toBe(1);
    expect(one.stats()).toMatchObject({ refusedFills: 1 });
  },
);

test.each([
  ['a delete', (region: Region<string>) => region.delete('k')],
  ['a tag', (region: Region<string>) => region.deleteTag('t')],
  ['a prefix', (region: Region<string>) => region.deletePrefix('')],
  ['a clear', (region: Region<string>) => region.clear()],
])('what a load brings does not outlive %s during it, by this or another process', async (_, invalidate) => {
  for (const region of [one, two]) {
    started = 0;
    const get = one.get('k');
    await until(() => started === 1);
    await invalidate(region);
    loader.resolve('old');
    await expect(get).resolves.toBe('old');
    await until(async () => (await one.get('k')) === 'loaded later');
    await expect(two.get('k')).resolves.toBe('loaded later');
    expect(started).toBe(2);
    await one.delete('k');
    await until(() => b.stats().memory.entries === 0);
  }
});

test('a get after a delete does not join the load from before it', async () => {
  const get = loading();
  await until(() => started === 1);
  await one.delete('k');
  await expect(one.get('k')).resolves.toBe('loaded later');
  loader.resolve('old');
  await get;
  await expect(one.get('k')).resolves.toBe('loaded later');
});

test('a get after a tag was invalidated does not join the load from before it', async () => {
  const get = loading();
  await until(() => started === 1);
  await one.deleteTag('t');
  const after = one.get('k');
  loader.resolve('old');
  await expect(get).resolves.toBe('old');
  await expect(after).resolves.toBe('loaded later');
});

test('writes of one key in one process keep their order', async () => {
  await Promise.all(Array.from({ length: 50 }, (_, index) => one.set('k', `v${index}`)));
  await expect(one.get('k')).resolves.toBe('v49');
  await expect(two.get('k')).resolves.toBe('v49');
});

test('in the end all processes agree, whoever writes when', async () => {
  const regions = [one, two];
  loader.resolve('x');
  for (let round = 0; round < 50; round += 1) {
    await Promise.all(
      regions.flatMap((region, index) => [region.get('k'), region.set('k', `${round} ${index}`), region.get('k')]),
    );
  }
  await until(async () => (await one.get('k')) === (await two.get('k')));
  await expect(one.get('k')).resolves.toMatch(/^49 /);
});

test('a load that fails is told to those who wait for it in another process', async () => {
  const get = loading();
  await until(() => started === 1);
  const elsewhere = two.get('k');
  await until(() => two.stats().leaseWaits === 1);
  loader.reject(new Error('no such table'));
  await expect(get.then((inner) => inner)).rejects.toThrow('no such table');
  await expect(elsewhere).rejects.toMatchObject({
    code: 'LOAD_FAILED_ELSEWHERE',
    message: expect.stringContaining('no such table') as string,
  });
  expect(started).toBe(1);
  await expect(two.get('k')).resolves.toBe('loaded later');
});

test('a load that takes longer than the lease keeps it', async () => {
  let loads = 0;
  const options = {
    ttlMs: 60_000,
    leaseMs: 500, // longer than a slow machine stalls: else the lease is lost, as it must be
    load: () => ((loads += 1) === 1 ? loader.promise : Promise.reject(new Error('a second load'))),
  };
  const [slow, waiting] = [a.region<string>('slow', options), b.region<string>('slow', options)];
  const gets = [slow.get('k'), waiting.get('k')];
  await until(() => slow.stats().leaseWaits + waiting.stats().leaseWaits >= 4); // each lasts a whole lease
  loader.resolve('value');
  await expect(Promise.all(gets)).resolves.toEqual(['value', 'value']);
  expect(loads).toBe(1);
});
