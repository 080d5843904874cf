import { Client } from 'pg';
import { DeferQueue, PRUNE_DEFERRED_SQL, pruneAge } from '../../../src/data/defer';
import { until } from '../../support/until';
import { Databases } from './databases';

let databases: Databases;
beforeEach(async () => {
  databases = new Databases();
  await databases.start();
});
afterEach(() => databases.end());

test('parameters of every kind land replayed as they do at once', async () => {
  const { dir, target, server } = databases;
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
    databases.flag(0, true);
    const mutable = [...params];
    const late = queue.defer(2n, sql('replayed'), mutable);
    mutable.fill('changed later');
    await expect(late).resolves.toMatchObject({ outcome: 'queued' });
    await queue.close();
    databases.flag(0, false);
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
  const { dir, target, server } = databases;
  const queue = await DeferQueue.open({ dir, owner: 'cluster-0', target, log: server.log });
  try {
    await target.query(0, 'CREATE UNIQUE INDEX ON landed (n)');
    const insert = 'INSERT INTO landed (guild_id, n) VALUES ($1, $2)';
    await expect(queue.defer(2n, insert, [2n, 1])).resolves.toMatchObject({ outcome: 'done' });
    await expect(queue.defer(2n, insert, [2n, 1])).rejects.toMatchObject({ code: '23505' });
    await databases.kill('SIGKILL');
    for (const n of [2, 1, 3]) {
      await expect(queue.defer(2n, insert, [2n, n])).resolves.toMatchObject({ outcome: 'queued' });
    }
    await expect(queue.defer(2n, 'INSERT INTO nowhere VALUES ($1)', [1])).resolves.toMatchObject({ outcome: 'queued' });
    await databases.restart();
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

test('a server that does not answer is not waited for; what was under way lands once all the same', async () => {
  const { dir, target, server, urls } = databases;
  const queue = await DeferQueue.open({ dir, owner: 'cluster-0', target, log: server.log, patienceMs: 100 });
  const blocker = new Client({ connectionString: urls[0] });
  await blocker.connect();
  try {
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE landed');
    const insert = 'INSERT INTO landed (guild_id, n) VALUES ($1, $2)';
    const writes = [1, 2, 3].map((n) => queue.defer(2n, insert, [2n, n], { key: `write ${n}` }));
    for (const write of writes) await expect(write).resolves.toMatchObject({ outcome: 'queued' });
    expect(queue.stats().pending).toBe(3);
    await blocker.query('COMMIT');
    await queue.flush({ timeoutMs: 10_000 });
    expect(queue.stats()).toMatchObject({ pending: 0, deadLetters: 0 });
    const rows = await target.query(0, 'SELECT n FROM landed ORDER BY seq');
    expect(rows.map(({ n }) => n)).toEqual([1, 2, 3]);
    await expect(queue.defer(2n, insert, [2n, 4])).resolves.toMatchObject({ outcome: 'done' });
  } finally {
    await blocker.end();
    await queue.close();
  }
});
