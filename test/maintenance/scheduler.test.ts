import { connectClient } from '../../src/data/pool/connect';
import type { MaintenanceEvent } from '../../src/maintenance/events';
import { Maintenance, type MaintenanceOptions } from '../../src/maintenance/maintenance';
import type { MaintenanceTask, TaskContext, TaskName } from '../../src/maintenance/task';
import { RetentionTask } from '../../src/maintenance/tasks/retention';
import { VacuumTask } from '../../src/maintenance/tasks/vacuum';
import { Shards } from '../data/support/shards';
import { FakeClock } from '../support/fake-clock';
import { until } from '../support/until';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const VACUUM = { deadRows: 100, deadShare: 0.05, changedShare: 0.1, freezeShare: 0.6 };

const shards = new Shards(2);
let clock: FakeClock;
let events: MaintenanceEvent[];
let done: string[];
let maintenance: Maintenance | null = null;

beforeAll(() => shards.start(), 120_000);
beforeEach(async () => {
  await shards.sql(0, 'TRUNCATE botctl.maintenance_run CASCADE');
  clock = new FakeClock();
  await clock.advance(-1 * (clock.now() % (24 * HOUR)) + 24 * HOUR + HOUR); // 01:00
  events = [];
  done = [];
});
afterEach(() => maintenance?.stop());
afterAll(() => shards.end());

/** Does one step on each shard. */
const task = (name: TaskName, work: (context: TaskContext, shard: number) => Promise<void>): MaintenanceTask => ({
  name,
  run: async (context) => {
    for (let shard = 0; shard < context.shards; shard++) {
      await context.step({ shard, object: null, action: name }, async () => {
        await work(context, shard);
        done.push(`${name} ${shard}`);
        return null;
      });
    }
  },
});
const quick = (name: TaskName): MaintenanceTask => task(name, () => Promise.resolve());

/** Nights from 02:00 to 04:00. */
function start(tasks: MaintenanceTask[], change: Partial<MaintenanceOptions> = {}): Maintenance {
  maintenance = new Maintenance({
    tasks,
    schedule: {
      window: { start: '02:00', end: '04:00', zone: 'UTC' },
      tasks: tasks.map(({ name }) => ({ name, schedule: null })),
    },
    ...{ catchUp: true, shards: 2, connect: shards.connect, host: 'here', clock },
    busy: () => null,
    emit: (event) => events.push(event),
    ...change,
  });
  maintenance.start();
  return maintenance;
}

const ended = (): Extract<MaintenanceEvent, { type: 'maintenance.ended' }>[] =>
  events.filter((event) => event.type === 'maintenance.ended');
const runs = (): Promise<Record<string, unknown>[]> =>
  shards.sql(0, 'SELECT trigger, outcome, message FROM botctl.maintenance_run ORDER BY id');
/** The next night's timer may be set a moment after a run has ended. */
const untilEnded = (count: number): Promise<void> =>
  until(async () => {
    await clock.advance(MINUTE);
    return ended().length === count;
  });
const untilIdle = (running: Maintenance): Promise<void> => until(() => running.view().running === null);

test('at its hour, once a night, what is due in its order', async () => {
  const running = start([quick('vacuum'), quick('reindex')]);
  await clock.advance(50 * MINUTE);
  expect(events).toEqual([]);
  await clock.advance(10 * MINUTE);
  await until(() => ended().length === 1);
  expect(done).toEqual(['vacuum 0', 'vacuum 1', 'reindex 0', 'reindex 1']);
  expect(ended()[0]).toMatchObject({ trigger: 'window', outcome: 'done', done: 4, failed: 0 });
  await untilIdle(running);
  await clock.advance(23 * HOUR);
  expect(ended()).toHaveLength(1);
  await clock.advance(HOUR);
  await untilEnded(2);
  await untilIdle(running);
  expect(await runs()).toMatchObject([{ outcome: 'done' }, { outcome: 'done' }]);
});

test('waits for the end of an incident, and begins late rather than not', async () => {
  let busy: string | null = 'an incident is open (disk-low, host)';
  start([quick('vacuum')], { busy: () => busy });
  await clock.advance(2 * HOUR);
  expect(done).toEqual([]);
  busy = null;
  await clock.advance(MINUTE);
  await until(() => ended().length === 1);
  expect(done).toEqual(['vacuum 0', 'vacuum 1']);
});

test('held up until the window is over, it says why, and tries again the next night', async () => {
  let busy: string | null = 'a rollout is under way';
  start([quick('vacuum')], { busy: () => busy });
  await clock.advance(4 * HOUR);
  expect(events).toEqual([{ type: 'maintenance.skipped', trigger: 'window', reason: 'a rollout is under way' }]);
  busy = null;
  await clock.advance(22 * HOUR);
  await untilEnded(1);
});

test('databases that are down are waited for', async () => {
  let down = true;
  const connect = (shard: number) => (down ? Promise.reject(new Error('connection refused')) : shards.connect(shard));
  start([quick('vacuum')], { connect });
  await clock.advance(2 * HOUR);
  expect(events).toEqual([]);
  down = false;
  await until(async () => {
    await clock.advance(MINUTE);
    return ended().length === 1;
  });
  expect(done).toEqual(['vacuum 0', 'vacuum 1']);
});

test('stops when the window ends, in the middle of a statement; what was cut off goes first the next night', async () => {
  let slow = true;
  const long = task('reindex', async (context, shard) => {
    const client = await context.connect(shard);
    if (slow) await client.query('SELECT pg_sleep(60)');
  });
  const running = start([quick('vacuum'), long, quick('cache')]);
  await clock.advance(HOUR);
  await until(() => running.view().running?.text.includes('reindex') === true);
  const sleeping = async (): Promise<number> =>
    (await shards.sql(0, "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'  AND state = 'active'"))
      .length;
  await until(async () => (await sleeping()) === 1);
  await clock.advance(2 * HOUR);
  await until(() => ended().length === 1);
  expect(ended()[0]).toMatchObject({ outcome: 'cut', done: 2, failed: 0 });
  await untilIdle(running);
  expect(await sleeping()).toBe(0);
  expect(await runs()).toEqual([
    { trigger: 'window', outcome: 'cut', message: 'the window is over; it goes on in the next one' },
  ]);
  [slow, done] = [false, []];
  await clock.advance(23 * HOUR);
  await untilEnded(2);
  expect(done).toEqual(['reindex 0', 'reindex 1', 'cache 0', 'cache 1', 'vacuum 0', 'vacuum 1']);
});

const daysAgo = (days: number): Promise<unknown> =>
  shards.sql(
    0,
    `INSERT INTO botctl.maintenance_run (host, trigger, started_at, ended_at, outcome)
     VALUES ('here', 'window', to_timestamp($1), to_timestamp($1), 'done')`,
    [(clock.now() - days * 24 * HOUR) / 1_000],
  );

test('a night that was missed is made up soon after the start', async () => {
  await daysAgo(3);
  start([quick('vacuum')]);
  await clock.advance(4 * MINUTE);
  expect(events).toEqual([]);
  await clock.advance(MINUTE);
  await until(() => ended().length === 1);
  expect(ended()[0]).toMatchObject({ trigger: 'catch-up', outcome: 'done' });
});

test('where it is not to be made up, it is told', async () => {
  await daysAgo(3);
  start([quick('vacuum')], { catchUp: false });
  await clock.advance(5 * MINUTE);
  await until(() => events.length === 1);
  expect(events).toMatchObject([{ type: 'maintenance.missed', reason: 'botctl did not run in this window' }]);
});

test('one night that is missed is not made up beside the next one, nor one that a new bot never had', async () => {
  start([quick('vacuum')]);
  await clock.advance(10 * MINUTE);
  expect(events).toEqual([]);
});

test('a failure is told once, and its end; other steps are done all the same', async () => {
  let fails = true;
  const failing = task('vacuum', (_, shard) =>
    fails && shard === 0 ? Promise.reject(new Error('no room')) : Promise.resolve(),
  );
  const running = start([failing, quick('reindex')]);
  await clock.advance(HOUR);
  await until(() => ended().length === 1);
  expect(done).toEqual(['vacuum 1', 'reindex 0', 'reindex 1']);
  expect(events).toContainEqual({ type: 'maintenance.failed', task: 'vacuum', shard: 0, message: 'no room' });
  expect(running.view().failing).toEqual([{ task: 'vacuum', message: 'no room' }]);
  await untilIdle(running);
  fails = false;
  await clock.advance(24 * HOUR);
  await untilEnded(2);
  expect(events).toContainEqual({ type: 'maintenance.recovered', task: 'vacuum', failed: true });
  expect(running.view().failing).toEqual([]);
});

test('what the role may not do is said with the GRANT that helps; it is no failure, and the GRANT does help', async () => {
  await shards.sql(
    0,
    `CREATE TABLE foreign_log (id int, at timestamptz); ALTER TABLE foreign_log SET (autovacuum_enabled = false);
     INSERT INTO foreign_log SELECT n, now() - interval '1 year' FROM generate_series(1, 1000) n; UPDATE foreign_log SET id = id;
     CREATE ROLE worker LOGIN PASSWORD 'worker';
     GRANT ALL ON SCHEMA botctl TO worker; GRANT ALL ON ALL TABLES IN SCHEMA botctl TO worker;
     GRANT ALL ON ALL SEQUENCES IN SCHEMA botctl TO worker; GRANT SELECT ON foreign_log TO worker`,
  );
  const dead = async (): Promise<unknown> =>
    (await shards.sql(0, "SELECT n_dead_tup::int AS n FROM pg_stat_all_tables WHERE relname = 'foreign_log'"))[0]?.[
      'n'
    ];
  await until(async () => (await dead()) === 1_000);
  const url = new URL(shards.urls[0]!);
  [url.username, url.password] = ['worker', 'worker'];
  const rule = { table: 'foreign_log', column: 'at', keepMs: 30 * 24 * HOUR, unit: null, zone: 'UTC' };
  const running = start(
    [new RetentionTask({ rules: [rule], pauseAbove: 50 }), new VacuumTask(VACUUM, () => undefined)],
    { shards: 1, connect: () => connectClient({ url: url.href, applicationName: 'worker' }) },
  );
  const request = { tasks: null, dryRun: false, force: false };
  const report = await running.runNow(
    request,
    () => undefined,
    () => undefined,
  );
  const denied = report.steps.filter(({ outcome }) => outcome === 'denied');
  expect(report.outcome).toBe('done');
  expect(denied.map((step) => [step.task, step.object])).toEqual(
    expect.arrayContaining([
      ['retention', 'foreign_log'],
      ['vacuum', 'public.foreign_log'],
    ]),
  );
  for (const { message, object } of denied) {
    const [, grant] = /Allow it with: (GRANT .*;?)$/.exec(message ?? '') ?? [];
    expect({ object, grant }).toEqual({ object, grant: expect.stringContaining('worker') as string });
    await shards.sql(0, grant!);
  }
  const again = await running.runNow(
    request,
    () => undefined,
    () => undefined,
  );
  expect(again.steps.filter(({ object }) => object?.endsWith('foreign_log')).map(({ outcome }) => outcome)).toEqual([
    'done',
    'done',
  ]);
  expect(await shards.sql(0, 'SELECT FROM foreign_log')).toEqual([]);
});
