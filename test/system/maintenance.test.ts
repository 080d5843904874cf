import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { BackupSummary } from '../../src/maintenance/backup/store';
import type { MaintenanceOverview, MaintenanceReport } from '../../src/control/maintenance-contract';
import { Sandbox } from '../../src/sandbox';
import { Bucket, KEYS } from '../maintenance/support/bucket';
import { flip } from '../maintenance/support/flip';
import { mountDisk, unmount } from '../support/small-disk';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

const ROWS = 5_000;

const bucket = new Bucket();
let sandbox: Sandbox;
let botctl: Botctl;
/** On another host, for the same databases; its backups go to a bucket. */
let other: Botctl;
let backupDir = '';
let id = '';

beforeAll(async () => {
  sandbox = new Sandbox({ guilds: 20, shards: 2, maxConcurrency: 16, identifyIntervalMs: 50 });
  const { apiUrl: api } = await sandbox.listen();
  await bucket.listen();
  const common = { sharding: { shardsPerCluster: 2, graceTime: '0s' }, identify: { interval: '50ms' } };
  const backup = { method: 'physical', dir: './backups' };
  botctl = new Botctl({
    ...{ bot: 'plain.cjs', api },
    config: { ...common, backup, postgres: { embedded: { enabled: true, shards: 2 } } },
  });
  chmodSync(botctl.dir, 0o755); // for the embedded Postgres, which may have to run as another user
  backupDir = join(botctl.dir, 'backups');
  const { endpoint, region, prefix, accessKeyId } = bucket.settings;
  other = new Botctl({
    ...{ bot: 'plain.cjs', api },
    env: { S3_SECRET: KEYS.secretAccessKey },
    config: {
      ...common,
      backup: { s3: { endpoint, region, prefix, accessKeyId, secretAccessKey: '${S3_SECRET}' } },
      postgres: { shards: ['${DB_0}', '${DB_1}'] },
    },
  });
});
afterAll(async () => {
  await Promise.all([botctl.cli('stop'), other.cli('stop')]);
  unmount(backupDir);
  await Promise.all([botctl.dispose(), other.dispose()]);
  await Promise.all([sandbox.close(), bucket.close()]);
});

const url = async (shard: number): Promise<string> => {
  const password = readFileSync(join(botctl.stateDir, 'postgres', 'password'), 'utf8').trim();
  return `postgres://botctl:${password}@${(await botctl.status()).postgres.address ?? ''}/botctl_shard_${shard}`;
};

async function sql(shard: number, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: await url(shard) });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

const list = async (at = botctl): Promise<BackupSummary[]> =>
  (JSON.parse((await at.cli('backup', 'list', '--json')).stdout) as { backups: BackupSummary[] }).backups;
const deadRows = async (): Promise<number> =>
  Number((await sql(0, `SELECT n_dead_tup::int AS n FROM pg_stat_all_tables WHERE relname = 'log'`))[0]?.['n']);

test('without a supervisor and without backups: errors that say what to do', async () => {
  const maintain = await botctl.cli('maintain', '--now');
  expect(maintain).toMatchObject({ code: 3, stderr: expect.stringContaining('botctl start') as string });
  expect(await botctl.cli('backup', 'list')).toMatchObject({ code: 1 });
  const restore = await botctl.cli('restore', '20261125T020000Z', '--to', 'live', '--force');
  expect(restore.code).toBe(1);
  expect(restore.stderr).toContain(`There is no backup 20261125T020000Z in ${backupDir}.`);
});

test('a dry run says what would be done and does nothing; a run does it, and is remembered', async () => {
  botctl.start();
  await botctl.untilReady();
  for (const shard of [0, 1]) {
    await sql(
      shard,
      `CREATE TABLE log (id bigserial PRIMARY KEY, text text); ALTER TABLE log SET (autovacuum_enabled = false);
       INSERT INTO log (text) SELECT md5(n::text) FROM generate_series(1, ${ROWS}) n; UPDATE log SET text = text || '!'`,
    );
  }
  await until(async () => (await deadRows()) >= ROWS);
  const dry = JSON.parse((await botctl.cli('maintain', '--now', '--dry-run', '--json')).stdout) as MaintenanceReport;
  const planned = dry.steps.filter(({ object }) => object === 'public.log');
  expect(planned).toMatchObject([0, 1].map((shard) => ({ shard, task: 'vacuum', outcome: 'planned' })));
  expect(await deadRows()).toBeGreaterThanOrEqual(ROWS);
  expect(await list()).toEqual([]);

  const shown = await botctl.cli('maintain', '--now', '--task', 'vacuum');
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/database shard 1: public\.log: vacuum: done \(deadRows 5000 -> 0/);
  expect(await deadRows()).toBe(0);
  const overview = JSON.parse((await botctl.cli('maintain', '--json')).stdout) as MaintenanceOverview;
  expect(overview.runs).toMatchObject([{ trigger: 'now', outcome: 'done' }]);
  expect(overview.steps.filter(({ object }) => object === 'public.log')).toMatchObject([
    { before: { deadRows: ROWS }, after: { deadRows: 0 } },
    { before: { deadRows: ROWS }, after: { deadRows: 0 } },
  ]);
  expect((await botctl.cli('maintain', '--now', '--task', 'nonsense')).stderr).toContain('There is no task nonsense');
});

test('a backup is made and proven; on a full disk the old one stays, and an incident says so', async () => {
  const disk = mountDisk(backupDir, '64m');
  const made = await botctl.cli('backup', 'now');
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(made.stdout).toContain('restore it for a trial: done');
  const [backup] = await list();
  ({ id } = backup!);
  expect(backup).toMatchObject({ problem: null, verified: { ok: true } });
  expect((await botctl.status()).maintenance?.backup).toMatchObject({ count: 1, last: { id, verified: true } });
  if (!disk) return; // it takes root to make a small disk

  const filler = join(backupDir, 'filler');
  const block = Buffer.alloc(256 * 1024);
  expect(() => {
    for (;;) appendFileSync(filler, block);
  }).toThrow('ENOSPC');
  const full = await botctl.cli('backup', 'now');
  expect(full.code).toBe(1);
  expect(full.stdout).toContain(
    `The disk under ${backupDir} is full: the backup was given up, older ones are untouched.`,
  );
  expect((await list()).map((one) => one.id)).toEqual([id]);
  expect(readdirSync(backupDir).sort()).toEqual([id, 'filler']);
  await botctl.untilStatus(({ incidents }) => incidents.some(({ type }) => type === 'backup-failed'));
  rmSync(filler);
  expect(await botctl.cli('backup', 'verify', id, '--files')).toMatchObject({ code: 0 });
  expect(await botctl.cli('backup', 'now')).toMatchObject({ code: 0 });
  await botctl.untilStatus(({ incidents }) => incidents.every(({ type }) => type !== 'backup-failed'));
});

test('of two hosts one runs, and the other says which', async () => {
  other.env['DB_0'] = await url(0);
  other.env['DB_1'] = await url(1);
  other.start();
  await other.untilReady();
  await sql(0, `UPDATE log SET text = text || '!'; ALTER DATABASE botctl_shard_0 SET vacuum_cost_limit = 1`);
  await until(async () => (await deadRows()) >= ROWS);
  const first = botctl.cli('maintain', '--now', '--task', 'vacuum');
  await botctl.untilStatus(({ maintenance }) => maintenance?.running?.text.includes('public.log') === true);
  const second = await other.cli('maintain', '--now', '--task', 'vacuum');
  expect(second.code).toBe(1);
  expect(second.stdout + second.stderr).toMatch(/Maintenance runs on \S+ \(process \d+\) at the moment/);
  expect(second.stdout + second.stderr).toContain(`(process ${(await botctl.status()).supervisor.pid})`);
  expect((await botctl.cli('maintain', '--now')).stderr).toContain('Maintenance is running here already');
  await sql(0, 'ALTER DATABASE botctl_shard_0 RESET vacuum_cost_limit');
  expect(await first).toMatchObject({ code: 0 });
  expect(await other.cli('maintain', '--now', '--task', 'vacuum')).toMatchObject({ code: 0 });
});

test.each<[string, (file: string) => void, RegExp]>([
  [
    'cut off',
    (file) => writeFileSync(file, readFileSync(file).subarray(0, -1)),
    /is damaged: server\.tar\.gz breaks off/,
  ],
  ['bit-flipped', flip, /is damaged: server\.tar\.gz was changed/],
  ['of another version', anotherFormat, /is of format 99 \(manifest\.json\); this botctl reads format 1/],
  ['tampered with', tamper, /is damaged: its manifest was changed/],
])('a backup that is %s is refused by verify and by restore, and nothing is touched', async (_, damage, reason) => {
  const kept = join(botctl.dir, 'kept');
  cpSync(join(backupDir, id), kept, { recursive: true });
  damage(join(backupDir, id, reason.source.includes('server') ? 'server.tar.gz' : 'manifest.json'));
  try {
    const to = join(botctl.dir, 'restored');
    for (const args of [
      ['backup', 'verify', id],
      ['restore', id, '--to', to],
    ]) {
      const { code, stderr } = await botctl.cli(...args);
      expect(code).toBe(1);
      expect(stderr).toMatch(reason);
    }
    expect(existsSync(to)).toBe(false);
    expect((await list()).find((one) => one.id === id)?.problem).not.toBeNull();
  } finally {
    rmSync(join(backupDir, id), { recursive: true });
    cpSync(kept, join(backupDir, id), { recursive: true });
    rmSync(kept, { recursive: true });
  }
});

test('a bucket takes backups, if pg_dump is there; nothing shows its secret', async () => {
  const made = await other.cli('backup', 'now');
  if (/Install it \(Debian: apt install postgresql-client-\d+\)/.test(made.stdout)) {
    expect(made.code).toBe(1);
    expect(bucket.objects.size).toBe(0);
  } else {
    expect(made.code).toBe(0);
    expect(await list(other)).toMatchObject([{ problem: null, verified: { ok: true } }]);
  }
  expect((await other.cli('status', '--json')).stdout).toContain(bucket.settings.endpoint);
  const everything = other.logs() + made.stdout + made.stderr + (await other.cli('config', 'show')).stdout;
  expect(everything).not.toContain(KEYS.secretAccessKey);
  await other.cli('stop');
});

test('a restore over live databases takes --force and no supervisor, makes a fresh backup, and brings all rows back', async () => {
  await sql(1, 'DELETE FROM log WHERE id > 10');
  const rows = async (): Promise<unknown> => (await sql(1, 'SELECT count(*)::int AS n FROM log'))[0]?.['n'];
  expect(await rows()).toBe(10);
  const running = await botctl.cli('restore', id, '--to', 'live', '--force');
  expect(running.code).toBe(1);
  expect(running.stderr).toMatch(/The bot is running here \(process \d+\).*\n\s*First: botctl stop/);
  await botctl.cli('stop');
  const unforced = await botctl.cli('restore', id, '--to', 'live');
  expect(unforced).toMatchObject({ code: 1, stderr: expect.stringContaining('Add --force') as string });
  const before = (await list()).length;
  const done = await botctl.cli('restore', id, '--to', 'live', '--force');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).toMatch(
    new RegExp(`fresh backup \\w+ made[^]*backup ${id} is live; what was there is kept in /`),
  );
  expect((await list()).length).toBe(before + 1);
  botctl.start();
  await botctl.untilReady();
  expect(await rows()).toBe(ROWS);
});

function anotherFormat(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replace('"format": 1', '"format": 99'));
}

function tamper(file: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replace('"shards": 2', '"shards": 3'));
}
