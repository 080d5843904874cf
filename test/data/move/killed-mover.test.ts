import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { DataError } from '../../../src/data/data-error';
import { MoveError } from '../../../src/data/move/move-store';
import { Mover } from '../../../src/data/move/mover';
import { bucketOf } from '../../../src/data/placement/bucket';
import { Shards } from '../support/shards';
import { random, snowflakes } from '../support/snowflakes';

const KILLS = 20;
const WRITES_PER_SECOND = 500;
const ROWS = 20_000;

const shards = new Shards(2);
const children: ChildProcess[] = [];
const guild = snowflakes(1, 77)[0]!;
const next = random(4);
const tables = { entry: 'guild_id', total: 'guild_id' };

/** Compiled once: it is started often. */
const dir = mkdtempSync(join(tmpdir(), 'botctl-mover-'));
const moverFile = join(dir, 'mover.cjs');
beforeAll(() => {
  const entry = join(__dirname, 'mover-process.ts');
  buildSync({ entryPoints: [entry], outfile: moverFile, bundle: true, platform: 'node', packages: 'external' });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await shards.end();
  rmSync(dir, { recursive: true, force: true });
});

/** Starts a mover and kills it after a while; true: it had come to its end before. */
async function killedMove(to: number): Promise<boolean> {
  const order = JSON.stringify({ urls: shards.urls, tables, guild: `${guild}`, to });
  const child = spawn(process.execPath, [moverFile, order], {
    env: { ...process.env, NODE_PATH: join(__dirname, '../../../node_modules') },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let done = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'begin') setTimeout(() => child.kill('SIGKILL'), next() * 700);
    done ||= line === 'done';
  }
  child.kill('SIGKILL');
  await ended;
  return done;
}

test(`${KILLS} killed movers and a restart of Postgres under load: no row lost, none doubled`, async () => {
  await shards.start();
  await shards.everywhere(`
    CREATE TABLE entry (guild_id bigint, id bigint, body text, PRIMARY KEY (guild_id, id));
    CREATE TABLE total (guild_id bigint PRIMARY KEY, n bigint NOT NULL)`);
  const home = bucketOf(guild) % 2;
  await shards.sql(home, `INSERT INTO entry SELECT $1, -n, repeat('x', 50) FROM generate_series(1, ${ROWS}) AS n`, [
    guild,
  ]);
  await shards.sql(home, 'INSERT INTO total VALUES ($1, 0)', [guild]);

  const db = shards.database({ max: 6 });
  const landed = new Set<number>();
  const unsure = new Set<number>();
  const state = { running: true, id: 0 };
  const unexpected: unknown[] = [];
  const write = async (id: number): Promise<void> => {
    try {
      await db.transaction(guild, async (tx) => {
        await tx.query('INSERT INTO entry VALUES ($1, $2, $3)', [guild, id, `entry ${id}`]);
        if (id % 10 === 0) await tx.query('UPDATE total SET n = n + 1 WHERE guild_id = $1', [guild]);
      });
      landed.add(id);
    } catch (error) {
      if (!(error instanceof DataError) || !['UNAVAILABLE', 'POOL_TIMEOUT'].includes(error.code))
        unexpected.push(error);
      else if (error.outcomeUnknown) unsure.add(id);
    }
  };
  const writing = (async () => {
    const since = performance.now();
    const open = new Set<Promise<void>>();
    while (state.running) {
      const due = Math.min(50, ((performance.now() - since) / 1_000) * WRITES_PER_SECOND - state.id);
      for (let n = 0; n < due && open.size < 100; n++) {
        const one = write(++state.id).finally(() => open.delete(one));
        open.add(one);
      }
      await delay(5);
    }
    await Promise.all(open);
  })();

  const mover = new Mover({ connect: shards.connect, tables });
  /** As an operator would: a machine with too much to do may need several tries to catch up with the writers. */
  const resume = async (): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        await mover.resume();
        return;
      } catch (error) {
        if (!(error instanceof MoveError) || tries === 10) throw error;
      }
    }
  };
  let killed = 0;
  let to = 1 - home;
  try {
    for (let round = 0; killed < KILLS && round < 3 * KILLS; round++) {
      if (!(await killedMove(to))) killed++;
      if (round === 7) {
        await shards.server.stop();
        await shards.server.start(shards.scene.signal);
      }
      // Every third interrupted move is finished by the next run; the others meet the next kill.
      if (round % 3 === 2) await resume();
      if ((await shards.sql(0, `SELECT FROM botctl.move WHERE state IN ('copying', 'moved')`)).length === 0)
        to = 1 - to;
    }
    await resume();
  } finally {
    state.running = false;
    await writing;
  }

  expect(killed).toBe(KILLS);
  expect(unexpected).toEqual([]);
  expect(landed.size).toBeGreaterThan(1_000);
  const counts = await Promise.all(
    [0, 1].map((shard) =>
      shards.sql(
        shard,
        'SELECT count(*)::int AS n, count(*) FILTER (WHERE id < 0)::int AS first FROM entry WHERE guild_id = $1',
        [guild],
      ),
    ),
  );
  const holder = counts.findIndex(([row]) => row!['n'] !== 0);
  expect(counts[1 - holder]![0]).toEqual({ n: 0, first: 0 });
  expect(counts[holder]![0]!['first']).toBe(ROWS);
  const rows = (await shards.sql(holder, 'SELECT id::int FROM entry WHERE guild_id = $1 AND id > 0', [guild])) as {
    id: number;
  }[];
  const there = new Set(rows.map(({ id }) => id));
  expect([...landed].filter((id) => !there.has(id))).toEqual([]);
  expect([...there].filter((id) => !landed.has(id) && !unsure.has(id))).toEqual([]);
  expect(await shards.sql(holder, 'SELECT n::int FROM total WHERE guild_id = $1', [guild])).toEqual([
    { n: [...there].filter((id) => id % 10 === 0).length },
  ]);
  for (const shard of [0, 1]) {
    expect(await shards.sql(shard, 'SELECT botctl.owns($1) AS here', [guild])).toEqual([{ here: shard === holder }]);
    expect(await shards.sql(shard, `SELECT tgname FROM pg_trigger WHERE tgname LIKE 'botctl%'`)).toEqual([]);
  }
  expect(await shards.sql(0, `SELECT FROM botctl.move WHERE state IN ('copying', 'moved')`)).toEqual([]);
}, 400_000);
