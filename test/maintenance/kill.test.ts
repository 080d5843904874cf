import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { backupId } from '../../src/maintenance/backup/manifest';
import { BackupStore } from '../../src/maintenance/backup/store';
import { FolderTarget } from '../../src/maintenance/backup/target-folder';
import { HostLock } from '../../src/maintenance/host-lock';
import type { StepReport } from '../../src/maintenance/task';
import { Shards } from '../data/support/shards';
import { until } from '../support/until';
import { runTask } from './support/run-task';
import { KEEP_BACKUPS, KEEP_MS, makeBackup, type Order, TASKS } from './support/task-process';

const ROWS = 20_000;
const OLD_BACKUPS = 100;
const shards = new Shards(1);
const backupDir = join(shards.scene.base, 'backups');
let child: ChildProcess | null = null;

beforeAll(async () => {
  await shards.start();
  await shards.sql(
    0,
    `CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz NOT NULL, text text);
     ALTER TABLE log SET (autovacuum_enabled = false);
     INSERT INTO log (at, text) SELECT now() - n * interval '1 minute', repeat('x', 40) || n FROM generate_series(1, ${ROWS}) n;
     CREATE INDEX log_text ON log (text, at);
     UPDATE log SET text = text || 'y' WHERE id % 2 = 0;
     CREATE TABLE old AS SELECT id, at FROM log;
     CREATE TABLE parted (at timestamptz NOT NULL) PARTITION BY RANGE (at)`,
  );
  await shards.sql(0, 'SELECT pg_stat_force_next_flush()').catch(() => undefined);
}, 120_000);
afterEach(() => child?.kill('SIGKILL'));
afterAll(() => shards.end());

const one = async (sql: string): Promise<number> => Number((await shards.sql(0, `SELECT (${sql})::int AS n`))[0]!['n']);
const invalid = (): Promise<number> => one('SELECT count(*) FROM pg_index WHERE NOT indisvalid');
const waiting = (): Promise<number> => {
  return one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'killed' AND wait_event_type = 'Lock'");
};

const order = (task: Order['task']): Order => ({ task, url: shards.urls[0]!, backupDir });

const runAgain = (task: keyof typeof TASKS): Promise<StepReport[]> =>
  runTask(TASKS[task](order(task)), { connect: shards.connect, shards: 1 });

/** Runs the task in a process of its own, and kills that where `isInTheMiddle` says so. */
async function killed(task: Order['task'], isInTheMiddle: () => Promise<boolean>): Promise<void> {
  const script = join(__dirname, 'support/task-process.ts');
  child = spawn(process.execPath, ['--import', 'tsx', script, JSON.stringify(order(task))], { stdio: 'inherit' });
  const running = child;
  await until(isInTheMiddle, { timeoutMs: 30_000, everyMs: 5, what: `the middle of ${task}` });
  expect(running.exitCode).toBeNull();
  running.kill('SIGKILL');
  await until(() => running.signalCode === 'SIGKILL');
}

/** What it had in its hands is given up by the server, and the next host may begin. */
async function untilGone(): Promise<void> {
  await until(async () => (await one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'killed'")) === 0);
  await (
    await HostLock.acquire(
      () => shards.connect(0),
      'the next',
      () => undefined,
    )
  ).release();
}

async function holding<T>(sql: string, work: (holder: Client) => Promise<T>): Promise<T> {
  const holder = await shards.connect(0);
  try {
    await holder.query(`BEGIN; ${sql}`);
    return await work(holder);
  } finally {
    await holder.end();
  }
}

test('kill -9 in a rebuild of an index: the next run leaves no invalid one, and rebuilds', async () => {
  await holding('UPDATE log SET text = text WHERE id = 4', () => killed('reindex', async () => (await invalid()) > 0));
  await untilGone();
  const steps = await runAgain('reindex');
  expect(steps.map(({ outcome }) => outcome)).not.toContain('failed');
  expect(await invalid()).toBe(0);
  expect(await one('SELECT count(*) FROM log')).toBe(ROWS);
});

test('kill -9 in a vacuum: the server gives it up, the next run does it', async () => {
  const dead = (): Promise<number> => one("SELECT n_dead_tup FROM pg_stat_all_tables WHERE relname = 'log'");
  const scanning = async (): Promise<boolean> =>
    (await one(
      "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 'log'::regclass AND heap_blks_scanned > 9",
    )) > 0;
  await shards.sql(0, 'UPDATE log SET at = at; ALTER DATABASE botctl_shard_0 SET vacuum_cost_limit = 1');
  await until(async () => (await dead()) >= ROWS / 2);
  await killed('vacuum', scanning);
  const meanwhile = await runAgain('vacuum');
  expect(meanwhile.map(({ outcome }) => outcome)).not.toContain('failed');
  await untilGone();
  await shards.sql(0, 'ALTER DATABASE botctl_shard_0 RESET vacuum_cost_limit');
  await runAgain('vacuum');
  expect(await dead()).toBe(0);
  expect(await one('SELECT count(*) FROM log')).toBe(ROWS);
});

test('kill -9 in retention: what is left of the old rows goes with the next run, and no other one', async () => {
  const young = `at >= now() - interval '${KEEP_MS} ms'`;
  // Nothing may grow old while the test runs.
  await shards.sql(0, `DELETE FROM old WHERE at < now() - interval '${KEEP_MS - 120_000} ms' AND ${young}`);
  const rows = await one(`SELECT count(*) FROM old`);
  const kept = await one(`SELECT count(*) FROM old WHERE ${young}`);
  await shards.sql(
    0,
    `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
     CREATE TRIGGER slow AFTER DELETE ON old EXECUTE FUNCTION slow()`,
  );
  await killed('retention', async () => (await one('SELECT count(*) FROM old')) < rows);
  await untilGone();
  expect(await one('SELECT count(*) FROM old')).toBeGreaterThan(kept);
  await shards.sql(0, 'DROP TRIGGER slow ON old');
  await runAgain('retention');
  expect(await one(`SELECT count(*) FROM old WHERE ${young}`)).toBe(kept);
  expect(await one('SELECT count(*) FROM old')).toBe(kept);
});

test('kill -9 while a partition that is over is taken out: the next run drops it, and no other one', async () => {
  const day = (days: number): string => `(current_date - ${days})::timestamptz`;
  for (const [name, from, to] of [
    ['over', 20, 10],
    ['half', 10, 3],
    ['young', 3, -3],
  ] as const) {
    await shards.sql(
      0,
      `DO $$ BEGIN EXECUTE format('CREATE TABLE parted_${name} PARTITION OF parted FOR VALUES FROM (%L) TO (%L)', ${day(from)}, ${day(to)}); END $$`,
    );
  }
  await shards.sql(0, `INSERT INTO parted SELECT ${day(0)} - n * interval '1 hour' FROM generate_series(1, 19 * 24) n`);
  const partitions = async (): Promise<unknown[]> =>
    (
      await shards.sql(
        0,
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'parted'::regclass ORDER BY 1",
      )
    ).map(({ name }) => name);
  const pending = (): Promise<number> => one('SELECT count(*) FROM pg_inherits WHERE inhdetachpending');
  await holding('SELECT count(*) FROM parted', async () => {
    await killed('retention', async () => (await pending()) > 0);
    await untilGone(); // else it would go on for a moment
  });
  expect(await pending()).toBe(1);
  // A reader that stays for longer than locks are waited for.
  const steps = await holding('SELECT count(*) FROM parted', async (reader) => {
    const running = runAgain('retention');
    await delay(1_500);
    await reader.query('ROLLBACK');
    return running;
  });
  expect(steps.map(({ outcome }) => outcome)).not.toContain('failed');
  expect(await partitions()).toEqual(['parted_half', 'parted_young']);
  expect(await shards.sql(0, "SELECT to_regclass('parted_over') AS gone")).toEqual([{ gone: null }]);
  expect(await one(`SELECT count(*) FROM parted WHERE at < now() - interval '${KEEP_MS} ms'`)).toBe(0);
  expect(await one('SELECT count(*) FROM parted')).toBeGreaterThanOrEqual(7 * 24 - 24);
});

test('a partition is taken out although somebody reads the table for longer than locks are waited for', async () => {
  await shards.sql(0, `ALTER TABLE parted DETACH PARTITION parted_half`);
  await shards.sql(
    0,
    `DO $$ BEGIN EXECUTE format('CREATE TABLE parted_more PARTITION OF parted FOR VALUES FROM (%L) TO (%L)',
       now() - interval '12 days', now() - interval '9 days'); END $$`,
  );
  const steps = await holding('SELECT count(*) FROM parted', async (reader) => {
    const running = runAgain('retention');
    await delay(1_500);
    await reader.query('ROLLBACK');
    return running;
  });
  expect(steps).toMatchObject([{ object: 'public.parted_more', outcome: 'done', message: null }]);
});

test('kill -9 while history is forgotten: the next run forgets it, and nothing else', async () => {
  const incident = (id: string, resolved: string): string =>
    `('${id}', 'disk-low', 'disk-low', 'host', 'critical', 'resolved', now() - interval '3 years', now() - interval '${resolved}', now(), '{}')`;
  await shards.sql(
    0,
    `INSERT INTO botctl.incident VALUES ${incident('old', '2 years')}, ${incident('fresh', '2 days')}`,
  );
  await holding("SELECT FROM botctl.incident WHERE id = 'old' FOR UPDATE", () => {
    return killed('history', async () => (await waiting()) > 0);
  });
  await untilGone();
  await runAgain('history');
  expect(await shards.sql(0, 'SELECT id FROM botctl.incident')).toEqual([{ id: 'fresh' }]);
});

test('kill -9 in a backup: what was there is untouched, half a backup is none', async () => {
  const store = new BackupStore(new FolderTarget(backupDir));
  const make = () => makeBackup(order('backup'), 'test');
  const { id } = await make();
  const files = (): string[] => (existsSync(backupDir) ? readdirSync(backupDir, { recursive: true }).map(String) : []);
  const whole = new Set(files());
  await killed('backup', () => Promise.resolve(files().some((file) => !whole.has(file))));
  await untilGone();
  const good = async (): Promise<string[]> => {
    return (await store.list()).filter(({ problem }) => problem === null).map((one) => one.id);
  };
  expect(await good()).toEqual([id]);
  const next = await make();
  expect((await good()).sort()).toEqual([id, next.id].sort());
});

test('kill -9 while old backups go: each is whole or gone, and the next run keeps those it should', async () => {
  const store = new BackupStore(new FolderTarget(backupDir));
  const [real] = await store.list();
  const file = 'server.tar.gz';
  for (let day = 1; day <= OLD_BACKUPS; day++) {
    const id = backupId(new Date(real!.at.getTime() - day * 86_400_000));
    const part = { ...real!.manifest!.parts[0]!, file, bytes: 1 };
    await store.target.write(`${id}/${file}`, Readable.from([Buffer.from('x')]), new AbortController().signal);
    await store.finish({ ...real!.manifest!, id, parts: [part] });
  }
  const count = (): number => readdirSync(backupDir).length;
  const before = count();
  await killed('prune-backups', () => Promise.resolve(count() < before));
  const left = await store.list();
  expect(left.length).toBeGreaterThan(KEEP_BACKUPS.daily);
  expect(left.filter(({ problem }) => problem !== null)).toEqual([]);
  await store.removeUnfinished();
  await runAgain('prune-backups');
  expect((await store.list()).map(({ id }) => id)).toEqual(left.slice(0, KEEP_BACKUPS.daily).map(({ id }) => id));
});
