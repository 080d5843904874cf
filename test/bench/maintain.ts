/* Backups against bare pg_dump, and what the application feels of maintenance, on a real server. ROWS=1000000 by default. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Table from 'cli-table3';
import { connectClient } from '../../src/data/pool/connect';
import { BackupMaker } from '../../src/maintenance/backup/make';
import { loadDump } from '../../src/maintenance/backup/load-dump';
import { doorEnv, findPgTools } from '../../src/maintenance/backup/pg-tools';
import { BackupStore } from '../../src/maintenance/backup/store';
import { FolderTarget } from '../../src/maintenance/backup/target-folder';
import { Run } from '../../src/maintenance/run';
import { ReindexTask } from '../../src/maintenance/tasks/reindex';
import { VacuumTask } from '../../src/maintenance/tasks/vacuum';
import type { Shards } from '../data/support/shards';
import { DumpShards } from '../maintenance/support/dump-shards';

const ROWS = Number(process.env['ROWS'] ?? 1_000_000);
const WRITES_PER_SECOND = 300;
const QUIET_MS = 10_000;
const MB = 1024 * 1024;

async function main(): Promise<void> {
  const shards = await new DumpShards(1).start();
  try {
    await shards.sql(
      0,
      `CREATE EXTENSION pgstattuple; CREATE TABLE log (id bigserial PRIMARY KEY, guild_id bigint, at timestamptz, text text);
       ALTER TABLE log SET (autovacuum_enabled = false);
       INSERT INTO log (guild_id, at, text) SELECT n % 1000, now() - n * interval '1 second', md5(n::text) FROM generate_series(1, ${ROWS}) n;
       CREATE INDEX log_guild ON log (guild_id, at); ANALYZE log`,
    );
    await benchBackup(shards);
    await benchLoad(shards);
  } finally {
    await shards.end();
  }
}

async function benchBackup(shards: Shards): Promise<void> {
  const url = shards.urls[0] ?? '';
  const [size] = await shards.sql(0, 'SELECT pg_database_size(current_database())::float8 AS bytes');
  const bytes = Number(size?.['bytes']);
  const [tools] = await findPgTools();
  if (tools === undefined) throw new Error('there is no pg_dump on this machine');
  const dir = join(shards.scene.base, 'bare');
  const tool = async (name: string, args: string[]): Promise<void> => {
    const child = spawn(join(tools.bin, name), args, { env: doorEnv({ url }), stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(`${name} failed`);
  };
  const store = new BackupStore(new FolderTarget(join(shards.scene.base, 'backups')));
  const source = { bot: 'bench', version: '0', doors: [{ url }], embedded: true, connect: shards.connect };
  const { signal } = new AbortController();
  const make = (method: 'dump' | 'physical', key: string | null): Promise<{ id: string }> =>
    new BackupMaker(source, { method, key }, store, Date.now).make(signal, () => undefined);
  const fresh = async (): Promise<string> => {
    await shards.sql(0, 'DROP DATABASE IF EXISTS fresh').catch(() => undefined);
    await shards.sql(0, 'CREATE DATABASE fresh TEMPLATE template0');
    return url.replace(/\/[^/]*$/, '/fresh');
  };
  let id = '';
  const runs: [string, () => Promise<unknown>][] = [
    [
      'pg_dump -Fd -j 2',
      () => (rmSync(dir, { recursive: true, force: true }), tool('pg_dump', ['-Fd', '-j', '2', '-f', dir])),
    ],
    ['backup: dump, with checksums of all rows', async () => ({ id } = await make('dump', null))],
    ['backup: dump, encrypted', () => make('dump', 'a key for the benchmark')],
    ['backup: copy of the whole server', () => make('physical', null)],
    [
      'pg_restore -j 2',
      async () => tool('pg_restore', ['-j', '2', '-d', new URL(await fresh()).pathname.slice(1), dir]),
    ],
    [
      'restore of a dump',
      async () => {
        const manifest = await store.manifest(id);
        const [part] = manifest.parts;
        if (part === undefined) throw new Error('nothing was backed up');
        await loadDump(
          { store, manifest, part, key: null },
          { door: { url: await fresh() }, privileges: false },
          signal,
        );
      },
    ],
  ];
  mkdirSync(join(shards.scene.base, 'backups'), { recursive: true });
  const table = new Table({
    head: [`database of ${Math.round(bytes / MB)} MB`, 's', 'MB/s'],
    style: { head: [], border: [] },
  });
  for (const [name, run] of runs) {
    const begin = performance.now();
    await run();
    const seconds = (performance.now() - begin) / 1_000;
    table.push([name, seconds.toFixed(1), (bytes / MB / seconds).toFixed(1)]);
  }
  console.log(table.toString());
}

/** 300 writes a second, first alone, then beside maintenance of a table with made bloat. */
async function benchLoad(shards: Shards): Promise<void> {
  await shards.sql(0, `UPDATE log SET at = at + interval '1 second'`);
  const before = await measures(shards);
  const quiet = await load(shards, delay(QUIET_MS));
  const { signal } = new AbortController();
  const tasks = [
    new VacuumTask({ deadRows: 1_000, deadShare: 0.05, changedShare: 0.1, freezeShare: 0.6 }, () => undefined),
    new ReindexTask({ bloatShare: 0.3, minBytes: MB }),
  ];
  const run = new Run({
    ...{ tasks, shards: 1, dryRun: false, signal, connect: shards.connect, now: Date.now },
    ...{ busy: () => null, onStep: () => undefined, tell: () => undefined },
  });
  const busy = await load(shards, run.run());
  const after = await measures(shards);
  const table = new Table({
    head: ['', 'writes', 'errors', 'p50 ms', 'p99 ms', 'max ms'],
    style: { head: [], border: [] },
  });
  for (const [name, { ms, errors }] of [
    ['quiet', quiet],
    ['during maintenance', busy],
  ] as const) {
    const sorted = [...ms].sort((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(1);
    table.push([name, ms.length, errors, at(0.5), at(0.99), at(1)]);
  }
  console.log(table.toString());
  console.log('by pgstattuple, before:', before, 'after:', after);
  for (const { task, object, outcome, ms } of run.steps) console.log(`${task} ${object ?? ''}: ${outcome}, ${ms} ms`);
}

async function measures(shards: Shards): Promise<unknown> {
  const [row] = await shards.sql(
    0,
    `SELECT (pgstattuple('log')).dead_tuple_count::int AS dead, pg_relation_size('log_guild')::int AS "index bytes",
            pg_relation_size('log_pkey')::int AS "primary key bytes"`,
  );
  return row;
}

async function load(shards: Shards, until: Promise<unknown>): Promise<{ ms: number[]; errors: number }> {
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => connectClient({ url: shards.urls[0] ?? '', applicationName: 'load' })),
  );
  const ms: number[] = [];
  let errors = 0;
  const over = { yes: false };
  void until.finally(() => (over.yes = true));
  const waiting: Promise<unknown>[] = [];
  const first = performance.now();
  for (let n = 0; !over.yes; n++) {
    const due = first + (n * 1_000) / WRITES_PER_SECOND;
    const early = due - performance.now();
    if (early > 0) await delay(early);
    const client = clients[n % clients.length];
    // From when it was due: a late start counts, too.
    const write = client?.query('UPDATE log SET text = $2 WHERE id = $1', [1 + ((n * 7_919) % ROWS), `w${n}`]);
    waiting.push(
      (write ?? Promise.resolve()).then(
        () => ms.push(performance.now() - due),
        () => errors++,
      ),
    );
  }
  await Promise.all(waiting);
  for (const client of clients) await client.end();
  return { ms, errors };
}

void main();
