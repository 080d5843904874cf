import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFER_TABLE_DDL, DeferQueue, PRUNE_DEFERRED_SQL, pruneAge } from '../../../src/data/defer';
import { EmbeddedPostgres } from '../../../src/data/embedded/postgres';
import { isRunning, sendSignal } from '../../../src/data/embedded/process-identity';
import { until } from '../../support/until';
import { Scene as Server } from '../embedded/scene';
import { PgTarget } from './pg-target';
import type { Writer } from './writers';
import { Writers } from './writers';

const SHARDS = 2;
const LANDED = 'CREATE TABLE landed (seq bigserial, guild_id bigint, n int, padding text)';
jest.setTimeout(300_000);

let server: Server;
let postgres: EmbeddedPostgres;
let writers: Writers;
let urls: string[];
let target: PgTarget;
let dir: string;
let flags: string;

beforeEach(async () => {
  server = new Server();
  postgres = new EmbeddedPostgres({ dir: server.dir, shards: SHARDS, port: 0, log: server.log });
  ({ urls } = await postgres.start(server.signal));
  dir = join(server.base, 'defer');
  flags = join(server.base, 'flags');
  mkdirSync(flags);
  writers = new Writers(server.base);
  target = new PgTarget(urls, flags);
  for (let shard = 0; shard < SHARDS; shard += 1) {
    await target.query(shard, DEFER_TABLE_DDL);
    await target.query(shard, DEFER_TABLE_DDL); // may be executed again
    await target.query(shard, LANDED);
  }
});
afterEach(async () => {
  writers.end();
  await target.end().catch(() => undefined);
  await server.end();
});

function flag(shard: number, down: boolean): void {
  const file = join(flags, `down-${shard}`);
  if (down) writeFileSync(file, '');
  else rmSync(file, { force: true });
}

function settings(mode: 'write' | 'adopt' | 'drain', owner: string, guilds: number[], from = 0) {
  return { mode, dir, flags, owner, urls, guilds: guilds.map(String), from };
}

/** Whole numbers below `max` from a seed, so that a failing schedule can be had again. */
function dice(seed: number): (max: number) => number {
  let state = seed;
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
}

/** Everything acknowledged has landed once and in order, and nothing else twice. */
async function check(acknowledging: readonly Writer[]): Promise<{ landed: number; acknowledged: number }> {
  const landed = new Map<string, number[]>();
  for (let shard = 0; shard < SHARDS; shard += 1) {
    for (const { guild_id, n } of await target.query(shard, 'SELECT guild_id, n FROM landed ORDER BY seq')) {
      const guild = guild_id as string;
      landed.set(guild, [...(landed.get(guild) ?? []), n as number]);
    }
  }
  let rows = 0;
  for (const numbers of landed.values()) {
    rows += numbers.length;
    const wrong = numbers.findIndex((n, at) => at > 0 && n <= numbers[at - 1]!);
    expect(numbers.slice(Math.max(0, wrong - 3), wrong + 3)).toEqual(wrong === -1 ? numbers.slice(0, 2) : 'in order');
  }
  const sets = new Map(Array.from(landed, ([guild, numbers]) => [guild, new Set(numbers)]));
  const acknowledged = acknowledging.flatMap((writer) => writer.acknowledged);
  expect(acknowledged.filter(({ guild, n }) => sets.get(guild)?.has(n) !== true)).toEqual([]);
  return { landed: rows, acknowledged: acknowledged.length };
}

async function restartPostgres(rolled: number): Promise<void> {
  const old = server.server;
  sendSignal(old, (['SIGQUIT', 'SIGINT', 'SIGKILL'] as const)[rolled]!);
  await until(() => !isRunning(old), { timeoutMs: 30_000 });
  await postgres.stop();
  await postgres.start(server.signal);
}

test('writers and servers that are killed at any time: what was acknowledged lands once and in order', async () => {
  const seed = Date.now() >>> 0;
  console.log(`schedule of seed ${seed}`);
  const roll = dice(seed);
  const guilds = Array.from({ length: 10 }, (_, guild) => guild + 1);
  let kills = 0;
  for (let round = 0; round < 26; round += 1) {
    for (let shard = 0; shard < SHARDS; shard += 1) flag(shard, roll(3) === 0);
    const writer = writers.start(settings('write', 'cluster-0', guilds, (round + 1) * 1_000_000));
    if (roll(5) > 0) await writer.until('open');
    const restart = round % 6 === 3 ? restartPostgres(roll(3)) : Promise.resolve();
    await delay(roll(500));
    flag(roll(SHARDS), roll(2) === 0);
    await delay(roll(200));
    await writer.kill();
    kills += 1;
    await restart;
  }
  for (let shard = 0; shard < SHARDS; shard += 1) flag(shard, false);
  await writers.start(settings('drain', 'cluster-0', guilds)).until('drained');
  const { landed, acknowledged } = await check(writers.all);
  const all = writers.all.flatMap((writer) => writer.acknowledged);
  const queued = all.filter(({ outcome }) => outcome === 'queued').length;
  const said = writers.all.flatMap(({ lines }) => lines);
  const torn = said.filter((line) => line.includes('cut off')).length;
  console.log(
    `${kills} kills: ${acknowledged} acknowledged (${queued} of them queued), ${landed} landed, ${torn} torn`,
  );
  expect(said.filter((line) => /^refused (?!.*QUEUE_FULL)|damaged|cannot/.test(line))).toEqual([]);
  expect(queued).toBeGreaterThan(0);
  expect(readdirSync(dir)).toEqual([]);
});

test('several that take over at the same time, some killed half-way: nothing is lost or doubled', async () => {
  const roll = dice(Date.now() >>> 0);
  for (let shard = 0; shard < SHARDS; shard += 1) flag(shard, true);
  const dead = Array.from({ length: 6 }, (_, n) => {
    const guilds = [2 * n, 2 * n + 1];
    return writers.start(settings('write', n < 3 ? 'same' : `other-${n}`, guilds));
  });
  await until(() => dead.every(({ acknowledged }) => acknowledged.length > 60), { timeoutMs: 30_000 });
  await Promise.all(dead.map((writer) => writer.kill()));

  for (let round = 0; round < 3; round += 1) {
    const adopters = Array.from({ length: 4 }, (_, n) => writers.start(settings('adopt', n < 2 ? 'same' : 'boss', [])));
    await Promise.race(adopters.map((adopter) => adopter.until('open')));
    await Promise.all(
      adopters.map(async (adopter) => {
        await delay(roll(40));
        await adopter.kill();
      }),
    );
  }
  for (let shard = 0; shard < SHARDS; shard += 1) flag(shard, false);
  const last = Array.from({ length: 3 }, () => writers.start(settings('adopt', 'boss', [])));
  await Promise.all(last.map((adopter) => adopter.until('drained')));
  const { landed, acknowledged } = await check(dead);
  expect(landed).toBeGreaterThan(300);
  expect(acknowledged).toBeGreaterThan(300);
  expect(readdirSync(dir)).toEqual([]);
});

test('parameters of every kind land replayed as they do at once', async () => {
  const columns = {
    t: 'text',
    i: 'int',
    d: 'double precision',
    b: 'boolean',
    nothing: 'text',
    big: 'bigint',
    at: 'timestamptz',
    bytes: 'bytea',
    texts: 'text[]',
    grid: 'int[][]',
    blobs: 'bytea[]',
    doc: 'jsonb',
    list: 'jsonb',
    own: 'text',
    undef: 'text',
  };
  const names = Object.keys(columns);
  await target.query(
    0,
    `CREATE TABLE kinds (way text, ${Object.entries(columns)
      .map((c) => c.join(' '))
      .join(', ')})`,
  );
  const params = [
    'Grüße "\\\u2028 😀\n',
    -7,
    0.1,
    true,
    null,
    9_223_372_036_854_775_807n,
    new Date('0099-02-03T04:05:06.789Z'),
    Buffer.from(Array.from({ length: 256 }, (_, n) => n)),
    ['a', null, 'b "c" \\ {}', ''],
    [
      [1, 2],
      [3, 4],
    ],
    [Buffer.from([0, 255]), null],
    { a: [1, { b: null }], 'ü"': 'x', at: new Date(0) },
    JSON.stringify([1, 'two', { three: 3 }]),
    { toPostgres: () => 'by toPostgres' },
    undefined,
  ];
  const sql = (way: string): string =>
    `INSERT INTO kinds VALUES ('${way}', ${names.map((_, n) => `$${n + 1}`).join(', ')})`;
  const queue = await DeferQueue.open({ dir, owner: 'cluster-0', target, log: server.log });
  try {
    await target.query(0, sql('plain pg'), params);
    await expect(queue.defer(2n, sql('at once'), params)).resolves.toMatchObject({ outcome: 'done' });
    flag(0, true);
    const mutable = [...params];
    const late = queue.defer(2n, sql('replayed'), mutable);
    mutable.fill('changed later');
    await expect(late).resolves.toMatchObject({ outcome: 'queued' });
    await queue.close();
    flag(0, false);
    const next = await DeferQueue.open({ dir, owner: 'cluster-0', target, log: server.log });
    await expect(next.flush({ timeoutMs: 10_000 })).resolves.toBe(0);
    expect(next.stats().deadLetters).toBe(0);
    await next.close();
  } finally {
    await queue.close();
  }
  const rows = await target.query(0, `SELECT way, (to_jsonb(kinds) - 'way')::text AS row FROM kinds`);
  const [plain, ...others] = rows.map(({ row }) => row);
  expect(rows.map(({ way }) => way)).toEqual(['plain pg', 'at once', 'replayed']);
  expect(others).toEqual([plain, plain]);
});

test('a server that was killed: replay begins within 2 s of its return, faults become dead letters', async () => {
  const queue = await DeferQueue.open({ dir, owner: 'cluster-0', target, log: server.log });
  try {
    await target.query(0, 'CREATE UNIQUE INDEX ON landed (n)');
    const insert = 'INSERT INTO landed (guild_id, n) VALUES ($1, $2)';
    await expect(queue.defer(2n, insert, [2n, 1])).resolves.toMatchObject({ outcome: 'done' });
    await expect(queue.defer(2n, insert, [2n, 1])).rejects.toMatchObject({ code: '23505' });
    const old = server.server;
    sendSignal(old, 'SIGKILL');
    await until(() => !isRunning(old));
    for (const n of [2, 1, 3]) {
      await expect(queue.defer(2n, insert, [2n, n])).resolves.toMatchObject({ outcome: 'queued' });
    }
    await expect(queue.defer(2n, 'INSERT INTO nowhere VALUES ($1)', [1])).resolves.toMatchObject({ outcome: 'queued' });
    await postgres.stop();
    await postgres.start(server.signal);
    const back = performance.now();
    await until(() => queue.stats().replayed > 0);
    expect(performance.now() - back).toBeLessThan(2_000);
    await queue.flush({ timeoutMs: 10_000 });
    expect(queue.stats()).toMatchObject({ pending: 0, replayed: 2, deadLetters: 2 });
    const rows = await target.query(0, 'SELECT n FROM landed ORDER BY seq');
    expect(rows.map(({ n }) => n)).toEqual([1, 2, 3]);

    await target.query(0, PRUNE_DEFERRED_SQL, [pruneAge([null])]);
    const keys = (): Promise<unknown[]> => target.query(0, 'SELECT key FROM botctl.deferred');
    await expect(keys()).resolves.toHaveLength(3);
    await target.query(0, `UPDATE botctl.deferred SET done_at = now() - interval '8 days'`);
    await target.query(0, PRUNE_DEFERRED_SQL, [pruneAge([8 * 24 * 3_600_000])]);
    await expect(keys()).resolves.toHaveLength(3);
    await target.query(0, PRUNE_DEFERRED_SQL, [pruneAge([null, 5])]);
    await expect(keys()).resolves.toEqual([]);
  } finally {
    await queue.close();
  }
});
