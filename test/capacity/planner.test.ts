import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Deployment } from '../../src/capacity/deployment';
import { HistoryTable } from '../../src/capacity/history-table';
import { keptReport } from '../../src/capacity/kept-report';
import { CapacityPlanner, type PlannerOptions } from '../../src/capacity/planner';
import type { CapacityReport } from '../../src/capacity/report';
import type { Observation } from '../../src/capacity/resource';
import { Shards } from '../data/support/shards';
import { FakeClock } from '../support/fake-clock';
import { until } from '../support/until';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const DEPLOYMENT: Deployment = {
  totalShards: 4,
  autoShards: true,
  localShards: 4,
  shardsPerCluster: 2,
  clusters: 2,
  maxConcurrency: 1,
  identifiesLeft: null,
  clusterBytes: null,
  heapLimitBytes: null,
  freeMemoryBytes: 0,
  memoryLimitedBy: 'host',
  poolMax: 10,
  databaseShards: 1,
  embeddedPostgres: false,
};

const shards = new Shards(1);
let dir: string;
let clock: FakeClock;
let value: number;
let warnings: string[];
let isDown: boolean;

beforeAll(() => shards.start());
afterAll(() => shards.end());

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-capacity-'));
  clock = new FakeClock();
  value = 100;
  warnings = [];
  isDown = false;
});
afterEach(async () => {
  rmSync(dir, { recursive: true, force: true });
  await shards.sql(0, 'TRUNCATE botctl.capacity_hour');
});

const table = new HistoryTable(async () => {
  if (isDown) throw new Error('connection refused');
  return await shards.connect(0);
});

function planner(change: Partial<PlannerOptions> = {}): CapacityPlanner {
  const log = {
    info: () => undefined,
    warn: (_: object, message: string) => warnings.push(message),
  };
  return new CapacityPlanner({
    dir: join(dir, 'capacity'),
    table,
    observe: () => Promise.resolve<Observation[]>([{ resource: 'disk', scope: 'host', value, limit: 1_000 }]),
    deployment: () => DEPLOYMENT,
    threshold: 0.8,
    horizonMs: 30 * 24 * HOUR_MS,
    clock,
    log,
    onReport: () => undefined,
    ...change,
  });
}

/** So many looks, a minute after each other. */
async function pass(one: CapacityPlanner, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await clock.advance(MINUTE_MS);
    await one.report();
  }
}

const rows = (): Promise<Record<string, unknown>[]> =>
  shards.sql(0, 'SELECT samples, mean, low, high, limit_value, part FROM botctl.capacity_hour ORDER BY hour, part');

async function reportOf(one: CapacityPlanner): Promise<CapacityReport> {
  const report = await one.report();
  if (report === null) throw new Error('no report');
  return report;
}

test('an hour is rolled up and written once it is over; the open one at the stop', async () => {
  const one = planner();
  await one.start();
  await pass(one, 5);
  expect(await rows()).toEqual([]);
  value = 300;
  await pass(one, 60); // 1,800,000,000 s is a whole hour
  const [first] = await rows();
  expect(first).toMatchObject({ low: 100, high: 300, limit_value: 1_000 });
  expect(Number(first?.['samples'])).toBeGreaterThanOrEqual(60);
  await one.stop();
  expect(await rows()).toHaveLength(2);
});

test('goes on after a restart, also in the middle of an hour, without counting anything twice', async () => {
  const one = planner();
  await one.start();
  await pass(one, 20);
  await one.stop();
  const before = Number((await rows())[0]?.['samples']);
  const two = planner();
  await two.start();
  await pass(two, 10);
  await two.stop();
  const after = await rows();
  expect(after).toHaveLength(1);
  expect(Number(after[0]?.['samples'])).toBe(before + 11);
});

test('a state folder that is lost costs nothing that was written, and adds to the hour it begins in', async () => {
  const one = planner();
  await one.start();
  await pass(one, 70);
  await one.stop();
  const before = await rows();
  rmSync(join(dir, 'capacity'), { recursive: true });
  const two = planner();
  await two.start();
  expect((await reportOf(two)).since).toBe(Math.floor((clock.now() - 70 * MINUTE_MS) / HOUR_MS) * HOUR_MS);
  await pass(two, 5);
  await two.stop();
  const after = await rows();
  expect(after).toHaveLength(before.length + 1);
  expect(after).toEqual(expect.arrayContaining(before));
  expect(new Set(after.map(({ part }) => part)).size).toBe(2);
});

test('what comes while Postgres is down waits on disk, also over a restart, then is written once', async () => {
  isDown = true;
  const one = planner();
  await one.start();
  await pass(one, 130);
  const report = await reportOf(one);
  expect(report).toMatchObject({ unwrittenHours: 2, keptIn: 'postgres' });
  expect(report.problem).toContain('connection refused');
  expect(warnings).toEqual(['the history of capacity waits for Postgres']); // once, not each minute
  await one.stop();

  const two = planner();
  await two.start();
  expect(await reportOf(two)).toMatchObject({ unwrittenHours: 2 });
  isDown = false;
  await pass(two, 1);
  expect(await rows()).toHaveLength(2);
  expect(await reportOf(two)).toMatchObject({ unwrittenHours: 0, problem: null });
  const written = await rows();
  await pass(two, 3);
  expect(await rows()).toEqual(written);
  await two.stop();
});

test('is bounded to 30 days, in the table, in the folder and in memory', async () => {
  const one = planner();
  await one.start();
  for (let day = 0; day < 40; day++) {
    await clock.advance(24 * HOUR_MS);
    await one.report();
  }
  await one.stop();
  const hours = await shards.sql(0, 'SELECT hour FROM botctl.capacity_hour');
  expect(hours.length).toBeGreaterThan(20);
  const oldest = Math.min(...hours.map(({ hour }) => (hour as Date).getTime()));
  expect(oldest).toBeGreaterThan(clock.now() - 30 * 24 * HOUR_MS - 2 * HOUR_MS);
  expect(readdirSync(join(dir, 'capacity')).filter((name) => name.endsWith('.day.json')).length).toBeLessThanOrEqual(
    32,
  );
  expect((await reportOf(one)).resources[0]?.history.points.length).toBeLessThanOrEqual(121);
});

test('without Postgres the folder keeps it and the report says so', async () => {
  const one = planner({ table: null });
  await one.start();
  await pass(one, 70);
  await one.stop();
  const two = planner({ table: null });
  await two.start();
  const report = await reportOf(two);
  expect(report).toMatchObject({ keptIn: 'state folder', unwrittenHours: 0, problem: null });
  expect(report.since).toBeLessThan(clock.now() - HOUR_MS);
  await two.stop();
});

test('the last report can be read when nobody is there; files are for their owner alone', async () => {
  const one = planner({ table: null });
  await one.start();
  await pass(one, 6);
  await one.stop();
  const folder = join(dir, 'capacity');
  expect(keptReport(folder)?.resources[0]).toMatchObject({ resource: 'disk', value: 100, limit: 1_000 });
  expect(keptReport(join(dir, 'elsewhere'))).toBeNull();
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
});

test('a broken file is left out and said; one of tomorrow is not believed', async () => {
  const one = planner({ table: null });
  await one.start();
  await pass(one, 6);
  await one.stop();
  const folder = join(dir, 'capacity');
  const [name = ''] = readdirSync(folder).filter((file) => file.endsWith('.day.json'));
  const day = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { rows: { hour: number; scope: string }[] };
  const future = { ...day, rows: day.rows.map((row) => ({ ...row, hour: row.hour + 1_000, scope: 'db:9' })) };
  writeFileSync(join(folder, `${Number(name.split('.')[0]) + 1}.day.json`), JSON.stringify(future));
  writeFileSync(join(folder, `${Number(name.split('.')[0]) - 1}.day.json`), '{"format":1,"rows":[');
  const two = planner({ table: null });
  await two.start();
  expect(warnings).toContain('history of capacity: files left out');
  expect((await reportOf(two)).resources.map(({ scope }) => scope)).toEqual(['host']);
  await two.stop();
});

test('a folder that cannot be written to is said, and stops nothing', async () => {
  writeFileSync(join(dir, 'capacity'), 'in the way');
  const one = planner({ table: null });
  await one.start();
  await pass(one, 2);
  expect(warnings).toContain('the history of capacity cannot be read');
  expect(one.status?.resources[0]).toMatchObject({ resource: 'disk', value: 100 });
  await one.stop();
});

test('a source that fails or lies: no look, no nonsense in the history', async () => {
  let fail = true;
  const one = planner({
    table: null,
    observe: () => {
      if (fail) return Promise.reject(new Error('no such file'));
      return Promise.resolve([
        { resource: 'disk', scope: 'host', value: NaN, limit: 10 },
        { resource: 'cpu', scope: 'host', value: 1, limit: 4 },
      ] as const);
    },
  });
  await one.start();
  expect(warnings).toContain('what is in use cannot be seen');
  fail = false;
  await pass(one, 2);
  expect((await reportOf(one)).resources.map(({ resource }) => resource)).toEqual(['cpu']);
  await one.stop();
});

test('a database that hangs does not hold up the end', async () => {
  const hanging = new HistoryTable(() => new Promise(() => undefined));
  const one = planner({ table: hanging });
  void one.start();
  await until(() => readdirSync(dir).length > 0);
  let ended = false;
  const stopped = one.stop().then(() => (ended = true));
  await until(async () => {
    await clock.advance(1_000);
    return ended;
  });
  await stopped;
});
