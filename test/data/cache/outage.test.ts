import type { Cache, Region } from '../../../src/data/cache';
import { until } from '../../support/until';
import { DeafProxy } from './deaf-proxy';
import type { RedisServer } from './redis-server';
import { Scene } from './scene';

let scene: Scene;
let server: RedisServer;
let a: Cache;
let b: Cache;
let truth: string;
beforeEach(async () => {
  scene = new Scene();
  server = await scene.redis();
  [a, b] = (await scene.caches(2, { redis: server.source })) as [Cache, Cache];
  truth = 'first';
});
afterEach(async () => {
  await server.goOn();
  await scene.end();
});

function pair(more: { l1TtlMs?: number } = {}): [Region<string>, Region<string>] {
  const options = { ttlMs: 600_000, ...more, load: () => truth };
  return [a.region('things', options), b.region('things', options)];
}

const inUse = (cache: Cache): boolean =>
  cache.stats().redis?.breaker === 'closed' && cache.stats().bus?.connected === true;

test.each([
  ['killed', () => server.kill(), () => server.start()],
  ['hanging', () => server.hang(), () => server.goOn()],
])('a Redis that is %s is not felt, and used again when it is back', async (_, fail, recover) => {
  const [one, two] = pair();
  await one.get('k');
  await two.get('k');
  await fail();
  await expect(one.get('first after')).resolves.toBe('first');
  await until(() => a.stats().redis?.breaker !== 'closed');
  const keys = Array.from({ length: 1_000 }, (_unused, index) => `cold ${index}`);
  const begin = performance.now();
  await expect(Promise.all(keys.map((key) => one.get(key)))).resolves.toEqual(keys.map(() => 'first'));
  expect(performance.now() - begin).toBeLessThan(2_000); // one time-out each would be 250 s
  truth = 'second';
  await one.set('k', truth);
  await one.delete('first after');
  await one.deleteTag('none');
  await expect(one.get('k')).resolves.toBe('second');
  await expect(one.getMany(['k', 'other'])).resolves.toEqual(new Map(Object.entries({ k: 'second', other: 'second' })));
  await expect(two.get('k')).resolves.toBe('first'); // has not heard of it
  await recover();
  const back = performance.now();
  await until(() => inUse(a) && inUse(b));
  console.info(`in use again after ${(performance.now() - back).toFixed(0)} ms`);
  // Without a wait for its TTL: a write may have been missed, and one was.
  await until(async () => (await two.get('k')) === 'second');
  await one.set('j', 'over Redis');
  await expect(two.get('j')).resolves.toBe('over Redis');
  expect(scene.errors.map(({ code }) => code)).toContain('L2_UNAVAILABLE');
  expect(scene.errors.map(String).join()).not.toContain(server.password);
});

test('what was deleted while Redis was out of reach is not served from it afterwards', async () => {
  const [one, two] = pair();
  await one.get('k');
  await two.get('tagged');
  await server.hang(); // keeps its data
  truth = 'second';
  await one.get('to find out');
  await one.delete('k');
  await one.deletePrefix('tag');
  await server.goOn();
  await until(() => inUse(a) && inUse(b));
  await expect(one.get('k')).resolves.toBe('second');
  await until(async () => (await two.get('k')) === 'second');
  await until(async () => (await two.get('tagged')) === 'second');
});

test('while the bus is down, a write is seen when the TTL of L1 ends', async () => {
  const [one, two] = pair({ l1TtlMs: 300 });
  await two.get('k');
  await server.kill();
  truth = 'second';
  await one.set('k', 'second');
  await until(async () => (await two.get('k')) === 'second', { timeoutMs: 5_000 });
});

test('entries from before a lost subscription are looked up again', async () => {
  const [, two] = pair();
  await two.get('k');
  const client = server.client();
  // Behind the back of the cache: nobody is told.
  await client.del('test:{things:k}');
  truth = 'second';
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  client.disconnect();
  await until(async () => (await two.get('k')) === 'second');
});

test('a bus that hears nothing is found out by itself', async () => {
  const proxy = await DeafProxy.start(server.port);
  try {
    const url = `redis://:${server.password}@127.0.0.1:${proxy.port}`;
    const [behind] = await scene.caches(1, { redis: { kind: 'single', url } });
    const things = behind!.region('things', { ttlMs: 600_000, load: () => truth });
    await things.get('k');
    proxy.deafen();
    truth = 'second';
    const [one] = pair();
    await one.set('k', 'second');
    await until(async () => (await things.get('k')) === 'second');
  } finally {
    await proxy.end();
  }
});

test('a Redis that is not there from the beginning costs nothing and is used when it comes', async () => {
  await server.kill();
  const late = scene.cache({ redis: server.source });
  const region = late.region('things', { ttlMs: 60_000, load: () => truth });
  await expect(region.get('k')).resolves.toBe('first');
  await expect(late.ready(10)).resolves.toBe(false);
  await server.start();
  await until(() => inUse(late));
});

test('says nothing of the password when it is wrong', async () => {
  const { port } = server;
  const wrong = scene.cache({ redis: { kind: 'single', url: `redis://:not-this-one@127.0.0.1:${port}` } });
  const region = wrong.region('things', { ttlMs: 60_000, load: () => truth });
  await expect(region.get('k')).resolves.toBe('first');
  expect(wrong.stats().redis?.breaker).not.toBe('closed');
  expect(scene.errors.map((error) => JSON.stringify(error) + String(error)).join()).not.toContain('not-this-one');
  expect(() => scene.cache({ redis: { kind: 'single', url: 'redis://:secret@ho st:x' } })).toThrow(/cannot be read\.$/);
});
