import { mkdtempSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { CACHE_TABLE_DDL, PostgresLevel } from '../../../src/data/cache';
import type { Cache, SqlRunner } from '../../../src/data/cache';
import { PURGE_CACHE_SQL } from '../../../src/data/cache/postgres-table';
import { EmbeddedPostgres } from '../../../src/data/embedded/postgres';
import { until } from '../../support/until';
import { Scene } from './scene';

const SHARDS = 2;
const base = mkdtempSync(join(tmpdir(), 'botctl-cache-'));
chmodSync(base, 0o755);
const systemDir = process.env['BOTCTL_SYSTEM_DIR'];
const server = new EmbeddedPostgres({ dir: join(base, 'state'), shards: SHARDS, port: 0, log: () => undefined });
let urls: string[];
let pools: Pool[];
let broken = false;

/** Straight to the database that the number says. */
const sql: SqlRunner = {
  query: async (routingId, text, params) => {
    if (broken) throw new Error('the database is away');
    return pools[Number(routingId % BigInt(SHARDS))]!.query<Record<string, unknown>>(text, params);
  },
  everyShard: async (text, params) => {
    await Promise.all(pools.map((pool) => pool.query(text, params)));
  },
};

beforeAll(async () => {
  process.env['BOTCTL_SYSTEM_DIR'] = join(base, 'system');
  ({ urls } = await server.start(new AbortController().signal));
  pools = urls.map((connectionString) => new Pool({ connectionString, max: 4 }));
  for (const pool of pools) pool.on('error', () => undefined);
  for (const pool of pools) await pool.query(CACHE_TABLE_DDL + CACHE_TABLE_DDL);
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await server.stop();
  if (systemDir === undefined) delete process.env['BOTCTL_SYSTEM_DIR'];
  else process.env['BOTCTL_SYSTEM_DIR'] = systemDir;
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
});

let scene: Scene;
beforeEach(() => {
  broken = false;
  scene = new Scene();
});
afterEach(() => scene.end());

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const notify = (): Promise<Client> => connect(urls[0]!);

async function notifyPair(): Promise<[Cache, Cache]> {
  return (await scene.caches(2, { notify })) as [Cache, Cache];
}

let regions = 0;
function store<T>(more: { ttlMs?: number } = {}): { name: string; level: PostgresLevel<T> } {
  const name = `region ${(regions += 1)}`;
  return { name, level: new PostgresLevel<T>(sql, { region: name, ...more }) };
}

describe('the durable level', () => {
  test('values of every kind outlive all caches', async () => {
    const { name, level } = store<unknown>();
    const values = [0, '', false, null, { a: [1, { b: 2n }] }, new Map([['k', new Set([1])]]), Buffer.from('x'), NaN];
    const writer = scene.cache().region<unknown>(name, { ttlMs: 1_000, store: level });
    for (const [index, value] of values.entries()) await writer.set(`k${index}`, value);
    const reader = scene.cache().region<unknown>(name, { ttlMs: 1_000, store: level });
    for (const [index, value] of values.entries()) await expect(reader.get(`k${index}`)).resolves.toStrictEqual(value);
    await expect(reader.get('none')).resolves.toBeUndefined();
    expect(reader.stats().l3).toEqual({ hits: values.length, misses: 1, errors: 0 });
  });

  test('lies between the caches and the loader', async () => {
    const { name, level } = store<string>();
    let loads = 0;
    const options = { ttlMs: 1_000, store: level, load: (key: string) => `${key} ${(loads += 1)}` };
    await expect(scene.cache().region(name, options).get('k')).resolves.toBe('k 1');
    await expect(scene.cache().region(name, options).get('k')).resolves.toBe('k 1');
  });

  test('a guild finds its own database, also by many keys', async () => {
    const { name, level } = store<number>();
    const guildId = '1181000000000000001';
    const region = scene.cache().region(name, { ttlMs: 1_000, store: level });
    for (const key of ['a', 'b', 'c']) await region.set(key, key.charCodeAt(0), { guildId });
    const { rows } = await pools[1]!.query('SELECT key FROM botctl.cache_entry WHERE region = $1 ORDER BY key', [name]);
    expect(rows).toEqual([{ key: 'a' }, { key: 'b' }, { key: 'c' }]);
    const cold = scene.cache().region(name, { ttlMs: 1_000, store: level });
    await expect(cold.getMany(['a', 'c', 'x'], { guildId: BigInt(guildId) })).resolves.toEqual(
      new Map(Object.entries({ a: 97, c: 99 })),
    );
    await expect(cold.get('b', { guildId })).resolves.toBe(98);
  });

  test('deletes by key, tag, prefix and altogether, on every shard', async () => {
    const { name, level } = store<number>();
    const region = scene.cache().region(name, { ttlMs: 1_000, store: level });
    const keys = ['a_1', 'a%2', 'ax3', 'b\\1', 'c'];
    for (const [index, key] of keys.entries())
      await region.set(key, index, { tags: [index % 2 === 0 ? 'even' : 'odd'] });
    const left = async (): Promise<string[]> => {
      const cold = scene.cache().region<number>(name, { ttlMs: 1_000, store: level });
      return [...(await cold.getMany(keys)).keys()];
    };
    await region.delete('c');
    expect(await left()).toEqual(['a_1', 'a%2', 'ax3', 'b\\1']);
    await region.deletePrefix('a_');
    expect(await left()).toEqual(['a%2', 'ax3', 'b\\1']);
    await region.deleteTag('even');
    expect(await left()).toEqual(['a%2', 'b\\1']);
    await region.deletePrefix('b\\');
    expect(await left()).toEqual(['a%2']);
    await region.set('c', 9);
    expect(await left()).toEqual(['a%2', 'c']);
    await region.clear();
    expect(await left()).toEqual([]);
  });

  test.each([
    ['a write', (level: PostgresLevel<string>) => level.write('k', 'written', [], {}), 'written'],
    ['a delete', (level: PostgresLevel<string>) => level.delete('k', {}), undefined],
    ['a tag', (level: PostgresLevel<string>) => level.deleteTag('t'), undefined],
    ['a prefix', (level: PostgresLevel<string>) => level.deletePrefix(''), undefined],
    ['a clear', (level: PostgresLevel<string>) => level.clear(), undefined],
  ])('what was loaded does not undo %s that came meanwhile', async (_, overtake, expected) => {
    const { name, level } = store<string>();
    for (const before of [undefined, 'expired']) {
      if (before !== undefined)
        await new PostgresLevel<string>(sql, { region: name, ttlMs: -1 }).write('k', 'x', [], {});
      const read = await level.read('k', {});
      if (read.found) throw new Error('found');
      await overtake(level);
      await level.fill('k', 'loaded', ['t'], read.token, {});
      const after = await level.read('k', {});
      expect(after.found ? after.value : undefined).toBe(expected);
    }
  });

  test('expired rows are not served, and purged', async () => {
    const { name, level } = store<string>({ ttlMs: 1 });
    await level.write('k', 'v', [], {});
    await until(async () => !(await level.read('k', {})).found);
    await Promise.all(pools.map((pool) => pool.query(PURGE_CACHE_SQL, [100])));
    const counts = await Promise.all(
      pools.map((pool) => pool.query('SELECT 1 FROM botctl.cache_entry WHERE region = $1', [name])),
    );
    expect(counts.map(({ rowCount }) => rowCount)).toEqual([0, 0]);
  });

  test('its failure is survived by reading on; a write that did not happen is told', async () => {
    const { name, level } = store<string>();
    const region = scene.cache().region(name, { ttlMs: 60_000, store: level, load: () => 'loaded' });
    await region.set('k', 'set');
    broken = true;
    await expect(region.get('other')).resolves.toBe('loaded');
    expect(scene.errors).toMatchObject([{ code: 'L3_UNAVAILABLE' }]);
    await expect(region.set('k', 'lost')).rejects.toThrow('the database is away');
    broken = false;
    await expect(region.get('k')).resolves.toBe('set');
    broken = true;
    const alone = scene.cache().region(name, { ttlMs: 60_000, store: level });
    await expect(alone.get('k')).rejects.toMatchObject({ code: 'NOT_LOADABLE' });
  });
});

describe('LISTEN/NOTIFY', () => {
  test('carries writes, deletes and invalidations, each once', async () => {
    const [a, b] = await notifyPair();
    let version = 1;
    const options = { ttlMs: 600_000, tags: () => ['t'], load: () => `v${version}` };
    const [one, two] = [a.region('things', options), b.region('things', options)];
    await one.get('k');
    await two.get('k');
    version = 2;
    await one.set('k', 'v2');
    await until(async () => (await two.get('k')) === 'v2');
    version = 3;
    await two.deleteTag('t');
    await until(async () => (await one.get('k')) === 'v3');
    await expect(two.get('k')).resolves.toBe('v3');
    version = 4;
    await one.delete('k');
    await until(async () => (await two.get('k')) === 'v4');
    expect(a.stats().bus).toEqual({ connected: true, sent: 2, received: 1 });
    expect(b.stats().bus).toEqual({ connected: true, sent: 1, received: 2 });
  });

  test('many at once and long keys fit into its payloads', async () => {
    const [a, b] = await notifyPair();
    const options = { ttlMs: 600_000, load: () => 'old' };
    const [one, two] = [a.region('things', options), b.region('things', options)];
    const keys = Array.from({ length: 500 }, (_, index) => `${index} ${'é'.repeat(100)}`);
    keys.push('x'.repeat(10_000), '"'.repeat(5_000));
    await two.getMany(keys);
    await Promise.all(keys.map((key) => one.set(key, 'new')));
    await one.deletePrefix('y'.repeat(9_000));
    await one.deleteTag('z'.repeat(9_000));
    await until(() => (b.stats().bus?.received ?? 0) >= keys.length + 2);
    expect(b.stats().bus?.connected).toBe(true);
    expect(scene.errors).toEqual([]);
    const before = two.stats().loads;
    await two.getMany(keys);
    expect(two.stats().loads - before).toBe(keys.length);
  });

  test('a gap is closed by dropping what L1 held, and what could not be said is said', async () => {
    const [a, b] = await notifyPair();
    let truth = 'first';
    const options = { ttlMs: 600_000, load: () => truth };
    const [one, two] = [a.region('things', options), b.region('things', options)];
    await one.get('k');
    await two.get('k');
    await pools[0]!.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' OR query ILIKE '%pg_notify(%' AND pid <> pg_backend_pid()`,
    );
    await until(() => a.stats().bus?.connected === false || b.stats().bus?.connected === false);
    truth = 'second';
    await one.set('k', 'second');
    await until(() => a.stats().bus?.connected === true && b.stats().bus?.connected === true);
    await until(async () => (await two.get('k')) === 'second');
    expect(scene.errors.map(({ code }) => code)).toContain('BUS');
  });
});
