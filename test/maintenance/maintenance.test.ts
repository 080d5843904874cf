import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectClient } from '../../src/data/pool/connect';
import { BackupMaker } from '../../src/maintenance/backup/make';
import { BackupStore } from '../../src/maintenance/backup/store';
import { FolderTarget } from '../../src/maintenance/backup/target-folder';
import { S3Target } from '../../src/maintenance/backup/target-s3';
import { BackupVerifier } from '../../src/maintenance/backup/verify';
import { HeldElsewhereError, HostLock } from '../../src/maintenance/host-lock';
import type { MaintenanceTask, StepReport } from '../../src/maintenance/task';
import { HistoryTask } from '../../src/maintenance/tasks/history';
import { ReindexTask } from '../../src/maintenance/tasks/reindex';
import { RetentionTask } from '../../src/maintenance/tasks/retention';
import { VacuumTask } from '../../src/maintenance/tasks/vacuum';
import { Shards } from '../data/support/shards';
import { Bucket } from './support/bucket';
import { runTask } from './support/run-task';

const ROWS = 20_000;
const VACUUM = { deadRows: 1_000, deadShare: 0.05, changedShare: 0.1, freezeShare: 0.6 };

const shards = new Shards(2);
const dir = join(shards.scene.base, 'backups');
const store = new BackupStore(new FolderTarget(dir));

beforeAll(async () => {
  await shards.start();
  await shards.everywhere(
    `CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz NOT NULL, text text);
     ALTER TABLE log SET (autovacuum_enabled = false);
     INSERT INTO log (at, text) SELECT now() - n * interval '1 minute', repeat('x', 40) || n FROM generate_series(1, ${ROWS}) n;
     CREATE INDEX log_text ON log (text, at)`,
  );
}, 120_000);
afterAll(() => shards.end());

const run = (task: MaintenanceTask, signal?: AbortSignal): Promise<StepReport[]> =>
  runTask(task, { connect: shards.connect, shards: 2, ...(signal && { signal }) });

const invalid = (): Promise<unknown[]> =>
  shards.sql(0, `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid`);

test('dead rows and waste of indexes go, and the figures say so', async () => {
  await shards.sql(0, `UPDATE log SET text = text || 'y', at = at; DELETE FROM log WHERE id % 4 <> 0`);
  await shards.sql(0, 'SELECT pg_stat_force_next_flush()').catch(() => undefined);
  const [vacuum] = (await run(new VacuumTask(VACUUM, () => undefined))).filter(({ object }) => object === 'public.log');
  expect(vacuum).toMatchObject({ action: 'vacuum', outcome: 'done', after: { deadRows: 0, rows: ROWS / 4 } });
  expect(Number(vacuum!.before!['deadRows'])).toBeGreaterThan(ROWS);
  const steps = await run(new ReindexTask({ bloatShare: 0.3, minBytes: 100_000 }));
  const names = steps.map(({ object }) => object);
  expect(names).toEqual(expect.arrayContaining(['public.log_text', 'public.log_pkey']));
  for (const { before, after, outcome } of steps) {
    expect(outcome).toBe('done');
    expect(Number(after!['bytes'])).toBeLessThan(Number(before!['bytes']) / 2);
  }
  expect(await run(new ReindexTask({ bloatShare: 0.3, minBytes: 100_000 }))).toEqual([]);
});

test('what ended long ago is forgotten; an incident that is open is not', async () => {
  const incident = (id: string, state: string, resolved: string): string =>
    `('${id}', 'disk-low', 'disk-low', 'host', 'critical', '${state}', now() - interval '3 years', ${resolved}, now(), '{}')`;
  await shards.sql(
    0,
    `INSERT INTO botctl.incident VALUES ${incident('old', 'resolved', "now() - interval '2 years'")},
       ${incident('fresh', 'resolved', "now() - interval '2 days'")}, ${incident('open', 'open', 'NULL')}`,
  );
  const day = 86_400_000;
  const steps = await run(new HistoryTask({ keep: 90 * day, keepIncidents: 365 * day }));
  expect(steps).toMatchObject([{ object: 'botctl.incident', before: { oldRows: 1 }, after: { oldRows: 0 } }]);
  expect(await shards.sql(0, 'SELECT id FROM botctl.incident ORDER BY id')).toEqual([{ id: 'fresh' }, { id: 'open' }]);
});

test('what a killed rebuild leaves is removed by the next run', async () => {
  const blocker = await shards.connect(0);
  await blocker.query('BEGIN');
  await blocker.query('UPDATE log SET text = text WHERE id = 4'); // the rebuild waits for it
  const client = await shards.connect(0);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const rebuild = client.query('REINDEX INDEX CONCURRENTLY log_text').catch((error: unknown) => error);
  for (let left: unknown[] = []; left.length === 0;) left = await invalid();
  await shards.sql(0, 'SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
  await rebuild;
  await blocker.query('ROLLBACK');
  await Promise.all([blocker.end(), client.end().catch(() => undefined)]);
  expect(await invalid()).toEqual([{ name: 'log_text_ccnew' }]);
  const steps = await run(new ReindexTask({ bloatShare: 0.9, minBytes: 1e9 }));
  expect(steps).toMatchObject([{ object: 'public.log_text_ccnew', outcome: 'done' }]);
  expect(await invalid()).toEqual([]);
});

test('only what is older than its period is deleted; a locked row is left', async () => {
  const before = await shards.sql(1, `SELECT count(*)::int AS n FROM log WHERE at >= now() - interval '7 days'`);
  const holder = await shards.connect(1);
  await holder.query('BEGIN');
  await holder.query(`SELECT FROM log WHERE id = ${ROWS} FOR UPDATE`); // the oldest
  const rule = { table: 'log', column: 'at', keepMs: 7 * 86_400_000, unit: null, zone: 'UTC' };
  const steps = await run(new RetentionTask({ rules: [rule], pauseAbove: 50 }));
  await holder.query('ROLLBACK');
  await holder.end();
  expect(steps.find(({ shard }) => shard === 1)).toMatchObject({ outcome: 'done', after: { oldRows: 1 } });
  const after = await shards.sql(1, `SELECT count(*)::int AS n, max(id)::int AS last FROM log`);
  expect(after).toEqual([{ n: (before[0]!['n'] as number) + 1, last: ROWS }]);
  const [unknown] = await run(new RetentionTask({ rules: [{ ...rule, table: 'nothing' }], pauseAbove: 50 }));
  expect(unknown).toMatchObject({ outcome: 'failed', message: expect.stringContaining('no table nothing') as string });
});

test('one host at a time; the other is told which', async () => {
  const connect = (): ReturnType<Shards['connect']> => shards.connect(0);
  const lock = await HostLock.acquire(connect, 'host-a (process 1)', () => undefined);
  const other = HostLock.acquire(connect, 'host-b (process 2)', () => undefined);
  await expect(other).rejects.toThrow(HeldElsewhereError);
  await expect(other).rejects.toThrow('host-a (process 1)');
  await lock.release();
  await (await HostLock.acquire(connect, 'host-b (process 2)', () => undefined)).release();
});

describe('a backup', () => {
  const maker = (target = store, key: string | null = null): BackupMaker =>
    new BackupMaker(
      {
        ...{ bot: 'test', version: '0', embedded: true, connect: shards.connect },
        doors: shards.urls.map((url) => ({ url })),
      },
      { method: 'physical', key },
      target,
      Date.now,
    );
  const verifier = (target = store, key: string | null = null): BackupVerifier =>
    new BackupVerifier({
      ...{ store: target, key, scratchDir: join(shards.scene.base, 'scratch'), now: Date.now },
      doorOf: (shard) => ({ url: shards.urls[shard]! }),
      open: (url) => connectClient({ url, applicationName: 'test' }),
    });
  const { signal } = new AbortController();
  const tell = (): void => undefined;
  let id = '';

  test('restores to the same rows, and its files are private', async () => {
    ({ id } = await maker().make(signal, tell));
    await verifier().verify(id, signal, tell);
    const [summary] = await store.list();
    expect(summary).toMatchObject({ id, problem: null, verified: { ok: true } });
    const tables = summary!.manifest!.parts.flatMap((part) => part.tables);
    expect(tables.filter(({ name }) => name === 'public.log').map(({ checksum }) => checksum !== null)).toEqual([
      true,
      true,
    ]);
    for (const file of readdirSync(join(dir, id))) expect(statSync(join(dir, id, file)).mode & 0o077).toBe(0);
  }, 180_000);

  test('in a bucket, encrypted, restores to the same rows', async () => {
    const bucket = new Bucket();
    await bucket.listen();
    try {
      const there = new BackupStore(new S3Target(bucket.settings));
      const made = await maker(there, 'a key').make(signal, tell);
      await verifier(there, 'a key').verify(made.id, signal, tell);
      expect(await there.list()).toMatchObject([{ id: made.id, problem: null, verified: { ok: true } }]);
      expect([...bucket.objects.keys()].sort()).toEqual(
        ['manifest.json', 'server.tar.gz.sealed', 'verified.json'].map((file) => `my-bot/${made.id}/${file}`),
      );
    } finally {
      await bucket.close();
    }
  }, 180_000);

  test('that is cut off, changed or of another version is refused', async () => {
    const file = join(dir, id, 'server.tar.gz');
    const whole = readFileSync(file);
    const check = (): Promise<unknown> => verifier().check(id, signal, tell);
    truncateSync(file, whole.length - 1);
    await expect(check()).rejects.toThrow('breaks off');
    const changed = Buffer.from(whole);
    changed[whole.length >> 1]! ^= 4;
    writeFileSync(file, changed);
    await expect(check()).rejects.toThrow('was changed');
    writeFileSync(file, whole);
    await check();
    const manifest = join(dir, id, 'manifest.json');
    const text = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, text.replace('"format": 1', '"format": 2'));
    await expect(check()).rejects.toThrow('is of format 2 (manifest.json); this botctl reads format 1');
    writeFileSync(manifest, text.replace('"shards": 2', '"shards": 3'));
    await expect(check()).rejects.toThrow('its manifest was changed');
    writeFileSync(manifest, text);
    await check();
  });

  test('that does not fit on the disk leaves the old ones as they are', async () => {
    const full = new FolderTarget(dir);
    const write = full.write.bind(full);
    // As a full disk does: after some of it is written.
    full.write = (path, source, own) => {
      source.once('data', () => source.destroy(Object.assign(new Error('no space'), { code: 'ENOSPC' })));
      return write(path, source, own);
    };
    await expect(maker(new BackupStore(full)).make(signal, tell)).rejects.toThrow(/full: the backup was given up/);
    expect((await store.list()).map((backup) => backup.id)).toEqual([id]);
    expect(readdirSync(dir)).toEqual([id]);
    await verifier().check(id, signal, tell);
  });
});
