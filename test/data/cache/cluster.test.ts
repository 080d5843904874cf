import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisSource } from '../../../src/data/redis';
import type { Cache } from '../../../src/data/cache';
import { until } from '../../support/until';
import type { RedisServer } from './redis-server';
import { Scene } from './scene';

const SLOTS = 16_384;

let dir: string;
let scene: Scene;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-cluster-'));
  scene = new Scene();
});
afterEach(async () => {
  await scene.end();
  rmSync(dir, { recursive: true, force: true });
});

/** A cluster of two masters that share the slots. */
async function cluster(): Promise<RedisSource> {
  const nodes: RedisServer[] = [];
  for (const name of ['a', 'b']) {
    nodes.push(await scene.redis('--cluster-enabled', 'yes', '--cluster-config-file', join(dir, name), '--dir', dir));
  }
  const [a, b] = nodes as [RedisServer, RedisServer];
  const clients = nodes.map((node) => node.client());
  const [one, two] = clients as [(typeof clients)[0], (typeof clients)[0]];
  await one.call('CLUSTER', 'ADDSLOTSRANGE', 0, SLOTS / 2 - 1);
  await two.call('CLUSTER', 'ADDSLOTSRANGE', SLOTS / 2, SLOTS - 1);
  await one.call('CLUSTER', 'MEET', '127.0.0.1', b.port);
  for (const client of clients) {
    await until(async () => {
      const info = await client.cluster('INFO');
      return info.includes('cluster_state:ok') && info.includes('cluster_size:2');
    });
  }
  for (const client of clients) client.disconnect();
  return { kind: 'cluster', nodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })), password: a.password };
}

test('works over the slots of a cluster', async () => {
  const redis = await cluster();
  const [a, b] = (await scene.caches(2, { redis })) as [Cache, Cache];
  let version = 1;
  const options = { ttlMs: 600_000, tags: () => ['t'], load: (key: string) => `${key} ${version}` };
  const [one, two] = [a.region('things', options), b.region('things', options)];
  const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
  await one.getMany(keys);
  version = 2;
  expect([...(await two.getMany(keys)).values()]).toEqual(keys.map((key) => `${key} 1`));
  expect(two.stats()).toMatchObject({ loads: 0, l2: { hits: 50 } });
  await one.set('k1', 'set');
  await until(async () => (await two.get('k1')) === 'set');
  await two.delete('k2');
  await until(async () => (await one.get('k2')) === 'k2 2');
  await one.deleteTag('t');
  await until(async () => (await two.get('k3')) === 'k3 2');
  await two.deletePrefix('k4');
  version = 3;
  await until(async () => (await one.get('k40')) === 'k40 3');
  expect(scene.errors).toEqual([]);
});
