import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { DeferQueue, listJournals } from '../../../src/data/defer';
import type { DeferredSample } from '../../../src/ipc/data-sample';
import { DataHousekeeping, type DataHousekeepingOptions } from '../../../src/supervisor/data/housekeeping';
import { systemClock } from '../../../src/clock';
import { SETTINGS, Shards } from '../../data/support/shards';
import { until } from '../../support/until';

const GUILD = 81_384_788_765_712_384n;
const WRITE = 'INSERT INTO note (guild_id, text) VALUES ($1, $2)';

const shards = new Shards(2);
const dir = join(shards.scene.base, 'deferred');
let kept: DataHousekeeping | null = null;

beforeAll(async () => {
  await shards.start();
  for (let shard = 0; shard < 2; shard++) await shards.sql(shard, 'CREATE TABLE note (guild_id bigint, text text)');
});
afterEach(async () => {
  await kept?.stop();
  kept = null;
  rmSync(dir, { recursive: true, force: true });
  await shards.everywhere('TRUNCATE note');
});
afterAll(() => shards.end());

function housekeeping({
  deferredOf = () => null,
  connect = shards.connect,
  isServing = () => false,
  clock = systemClock,
}: Partial<Pick<DataHousekeepingOptions, 'deferredOf' | 'connect' | 'isServing' | 'clock'>> = {}): DataHousekeeping {
  kept = new DataHousekeeping({
    settings: {
      name: 'test',
      databaseUrls: shards.urls,
      pool: { ...SETTINGS, share: { min: 0, max: 4 } },
      redis: null,
      cache: { maxEntries: 10, maxBytes: 10_000 },
      defer: { dir, maxEntries: 100, maxBytes: 1_000_000 },
      placementFile: join(shards.scene.base, 'placement.json'),
    },
    isOwner: (owner) => ['cluster-0', 'cluster-1'].includes(owner),
    ...{ connect, deferredOf, isServing, clock },
    logger: pino({ level: 'silent' }),
  });
  return kept;
}

/** A journal with one pending write, whose process has ended. */
async function leaveBehind(owner: string, text: string): Promise<void> {
  const down = Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
  const queue = await DeferQueue.open({
    ...{ dir, owner },
    target: { transaction: () => Promise.reject(down), shardOf: () => 0 },
    log: () => undefined,
  });
  await queue.defer(GUILD, WRITE, [GUILD, text]);
  await queue.close();
}

async function notes(): Promise<unknown[]> {
  const found = await Promise.all([0, 1].map((shard) => shards.sql(shard, 'SELECT text FROM note')));
  return found.flat().map(({ text }) => text);
}

test('writes of a process whose successor served before it ended land, too, when the successor has left them lying', async () => {
  await leaveBehind('cluster-0', 'of the predecessor');
  await leaveBehind('cluster-1', 'of one that is down');
  let now = Date.now();
  const clock = { now: () => now, after: systemClock.after };
  const house = housekeeping({ clock, isServing: (owner) => owner === 'cluster-0' });
  await house.adopt();
  now += 29_000;
  await house.adopt();
  expect(await notes()).toEqual([]);
  now += 1_000;
  await house.adopt();
  await until(async () => (await notes()).length > 0);
  await house.adopt(); // gives its journal up
  expect(await notes()).toEqual(['of the predecessor']);
  expect(await listJournals(dir)).toEqual([{ owner: 'cluster-1', alive: false }]);
});

test('writes of a cluster that the plan has no more land; those of one that starts again are left to it', async () => {
  await leaveBehind('cluster-7', 'abandoned');
  await leaveBehind('cluster-1', 'its own');
  const house = housekeeping();
  house.start();
  await until(async () => (await notes()).length > 0);
  await house.adopt(); // gives its journal up
  expect(await notes()).toEqual(['abandoned']);
  expect(house.sample()).toBeNull();
  expect(await listJournals(dir)).toEqual([{ owner: 'cluster-1', alive: false }]);
});

test('while the database is down, the abandoned writes wait on disk and are told', async () => {
  await leaveBehind('cluster-9', 'late');
  await shards.server.stop();
  try {
    const house = housekeeping();
    await house.adopt();
    expect(house.sample()).toMatchObject({ deferred: { pending: 1 } });
    await house.stop();
    expect(await listJournals(dir)).toEqual([{ owner: 'supervisor', alive: false }]);
  } finally {
    await shards.server.start(shards.scene.signal);
  }
  const next = housekeeping();
  next.start();
  await until(async () => (await notes()).includes('late'));
});

describe('pruning', () => {
  const rows = async (): Promise<{ cache: string[]; keys: string[] }> => {
    const keys = await shards.sql(1, 'SELECT key FROM botctl.deferred ORDER BY key');
    const cache = await shards.sql(1, 'SELECT key FROM botctl.cache_entry ORDER BY key');
    return { cache: cache.map(({ key }) => String(key)), keys: keys.map(({ key }) => String(key)) };
  };
  beforeEach(async () => {
    await shards.sql(1, 'TRUNCATE botctl.deferred, botctl.cache_entry, botctl.cache_invalidation');
    await shards.sql(
      1,
      `INSERT INTO botctl.deferred (guild_id, key, done_at)
       SELECT 1, 'old-' || n, now() - interval '9 days' FROM generate_series(1, 12000) n
       UNION ALL SELECT 1, 'recent', now() - interval '6 days'`,
    );
    await shards.sql(
      1,
      `INSERT INTO botctl.cache_entry (region, key, value, version, stamp, expires_at, routing_id)
       VALUES ('r', 'gone', '', 1, 1, now() - interval '1 second', 1), ('r', 'fresh', '', 1, 1, now() + interval '1 day', 1),
              ('r', 'for ever', '', 1, 1, NULL, 1)`,
    );
    await shards.sql(
      1,
      `INSERT INTO botctl.cache_invalidation (region, kind, pattern, version, created_at)
       VALUES ('r', 'all', '', 1, now() - interval '2 hours'), ('r', 'tag', 'new', 2, now())`,
    );
  });

  test('removes what has expired, in all its batches, and nothing else', async () => {
    await housekeeping().prune();
    expect(await rows()).toEqual({ cache: ['for ever', 'fresh'], keys: ['recent'] });
    expect(await shards.sql(1, 'SELECT pattern FROM botctl.cache_invalidation')).toEqual([{ pattern: 'new' }]);
  });

  test('keeps each key for as long as a write may still be pending', async () => {
    await leaveBehind('cluster-1', 'not known how old'); // nobody has it open
    await housekeeping().prune();
    expect((await rows()).keys).toHaveLength(12_001);
  });

  test('goes by the oldest write that a living process tells of', async () => {
    const queue = await DeferQueue.open({
      ...{ dir, owner: 'cluster-1', log: () => undefined },
      target: { transaction: () => Promise.reject(new Error('unused')), shardOf: () => 0 },
    });
    const told = (oldestAgeMs: number | null): DeferredSample => ({
      pending: 1,
      bytes: 1,
      oldestAgeMs,
      deadLetters: 0,
    });
    await housekeeping({ deferredOf: () => told(9 * 86_400_000) }).prune();
    expect((await rows()).keys).toHaveLength(12_001);
    await housekeeping({ deferredOf: () => told(null) }).prune();
    expect((await rows()).keys).toEqual(['recent']);
    await queue.close();
  });

  test('a database shard that is down does not keep the others from it', async () => {
    const broken = housekeeping({
      connect: (shard) => (shard === 0 ? Promise.reject(new Error('refused')) : shards.connect(shard)),
    });
    await expect(broken.prune()).rejects.toThrow('refused');
    expect((await rows()).keys).toEqual(['recent']);
  });
});
