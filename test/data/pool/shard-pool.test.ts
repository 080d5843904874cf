import { execFileSync } from 'node:child_process';
import { DataError } from '../../../src/data/data-error';
import { connectClient } from '../../../src/data/pool/connect';
import { ShardPool } from '../../../src/data/pool/shard-pool';
import { until } from '../../support/until';
import { SETTINGS, Shards } from '../support/shards';
import { snowflakes } from '../support/snowflakes';

const shards = new Shards(1);
const GUILD = snowflakes(1, 8)[0]!;
const pools: ShardPool[] = [];

beforeAll(async () => {
  await shards.start();
  await shards.everywhere('CREATE TABLE thing (guild_id bigint, id int, PRIMARY KEY (guild_id, id))');
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});
afterAll(() => shards.end());

function pool(...options: Parameters<Shards['pool']> extends [number, ...infer R] ? R : never): ShardPool {
  const made = shards.pool(0, ...options);
  pools.push(made);
  return made;
}

/** All connections are back and whole: nothing has leaked. */
async function whole(one: ShardPool): Promise<void> {
  await until(() => one.stats().inUse === 0 && one.stats().waiting === 0);
  expect(one.stats().acquired).toBe(one.stats().released);
  await expect(one.query(null, 'SELECT 1 AS one', [])).resolves.toMatchObject({ rows: [{ one: 1 }] });
}

async function failure(work: Promise<unknown>): Promise<DataError> {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
}

test('an exhausted pool says so after the acquire time-out, in the order of asking', async () => {
  const one = pool(1, { acquireTimeout: 300 });
  let free = (): void => undefined;
  const held = one.withClient(() => new Promise<void>((resolve) => (free = resolve)));
  await until(() => one.stats().inUse === 1);
  const error = await failure(one.withClient(() => Promise.resolve()));
  expect(error).toMatchObject({ code: 'POOL_TIMEOUT', shard: 0, outcomeUnknown: false });
  expect(error.message).toBe('database shard 0: no connection became free within 0.3 s (1 of 1 in use, 0 waiting)');
  expect(error.cause).toBeDefined();
  expect((await failure(one.query(null, 'SELECT 1', []))).code).toBe('POOL_TIMEOUT');
  const order: number[] = [];
  const waiting = [1, 2, 3].map((n) => one.withClient(() => Promise.resolve(order.push(n))));
  free();
  await Promise.all([held, ...waiting]);
  expect(order).toEqual([1, 2, 3]);
  expect(one.stats()).toMatchObject({ acquireTimeouts: 2, total: 1, idle: 1 });
  await whole(one);
});

test('a transaction gets its turn although single statements never pause', async () => {
  const one = pool(1);
  const state = { running: true };
  const flood = Promise.all(
    Array.from({ length: 8 }, async () => {
      while (state.running) await one.query(null, 'SELECT $1::int AS n', [1]);
    }),
  );
  await until(() => one.stats().statements > 0);
  await expect(one.withClient((client) => one.queryOn(client, null, 'SELECT 7 AS n', []))).resolves.toMatchObject({
    rows: [{ n: 7 }],
  });
  state.running = false;
  await flood;
  await whole(one);
});

test('a slow statement gets a connection of its own the next time', async () => {
  const one = pool(3);
  await one.query(null, 'SELECT pg_sleep($1)', [0.1]);
  const slow = one.query(null, 'SELECT pg_sleep($1)', [5]).catch((error: unknown) => error);
  await until(() => one.stats().inUse === 1);
  for (let n = 0; n < 50; n++) await one.query(null, 'SELECT $1::int', [n]);
  await shards.sql(
    0,
    `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep($1)' AND state = 'active'`,
  );
  expect(await slow).toMatchObject({ code: 'STATEMENT_TIMEOUT' });
  await whole(one);
});

test('a statement that takes too long is cancelled by the server', async () => {
  const one = pool(2, { statementTimeout: 200 });
  const error = await failure(one.query(null, 'SELECT pg_sleep($1)', [10]));
  expect(error).toMatchObject({ code: 'STATEMENT_TIMEOUT', outcomeUnknown: false });
  expect(error.message).toContain('a statement took too long and was cancelled');
  await whole(one);
});

test('a connection that the server ends: a typed error, then a new one', async () => {
  const one = pool(1);
  const error = await failure(
    one.withClient(async (client) => {
      const { rows } = await one.queryOn(client, null, 'SELECT pg_backend_pid() AS pid', []);
      const sleeping = one.queryOn(client, null, 'SELECT pg_sleep($1)', [10]);
      await shards.sql(0, 'SELECT pg_terminate_backend($1)', [(rows[0] as { pid: number }).pid]);
      return sleeping;
    }),
  );
  expect(error).toMatchObject({ code: 'UNAVAILABLE', shard: 0 });
  await whole(one);
  expect(one.stats()).toMatchObject({ created: 2, destroyed: 1, total: 1 });
});

test('an idle connection that breaks ends nothing and is not handed out', async () => {
  const one = pool(2);
  await Promise.all([one.withClient(() => Promise.resolve()), one.withClient(() => Promise.resolve())]);
  await shards.sql(
    0,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test' AND pid <> pg_backend_pid()`,
  );
  await until(() => one.stats().total === 0);
  await whole(one);
});

test('deadlock: one of the two is told that it may try again', async () => {
  const one = pool(2);
  await shards.sql(0, 'INSERT INTO thing VALUES (1, 1), (1, 2) ON CONFLICT DO NOTHING');
  const lock = (first: number, second: number, met: () => Promise<unknown>): Promise<unknown> =>
    one.withClient(async (client) => {
      await one.queryOn(client, null, 'BEGIN', []);
      try {
        await one.queryOn(client, null, 'SELECT FROM thing WHERE guild_id = 1 AND id = $1 FOR UPDATE', [first]);
        await met();
        return await one.queryOn(client, null, 'SELECT FROM thing WHERE guild_id = 1 AND id = $1 FOR UPDATE', [second]);
      } finally {
        await client.query('ROLLBACK');
      }
    });
  let arrived = 0;
  const met = (): Promise<void> => {
    arrived++;
    return until(() => arrived === 2);
  };
  const results = await Promise.allSettled([lock(1, 2, met), lock(2, 1, met)]);
  const failed = results.filter((result) => result.status === 'rejected');
  expect(failed.map(({ reason }) => (reason as DataError).code)).toEqual(['CONFLICT']);
  await whole(one);
});

test('wrong password and unknown database: one sentence without the password', async () => {
  const url = new URL(shards.urls[0]!);
  url.password = 'not-the-password';
  const wrong = new ShardPool({
    ...SETTINGS,
    shard: 3,
    url: url.href,
    share: { min: 0, max: 1 },
    applicationName: 'test',
  });
  const error = await failure(wrong.query(null, 'SELECT 1', []));
  expect(error).toMatchObject({ code: 'AUTHENTICATION', shard: 3, outcomeUnknown: false });
  expect(error.message).toContain('database shard 3: the server refuses user or password');
  expect(`${JSON.stringify(error)} ${error.message} ${error.stack}`).not.toContain('not-the-password');
  await wrong.close();

  const missing = new ShardPool({
    ...SETTINGS,
    shard: 0,
    url: shards.urls[0]!.replace('botctl_shard_0', 'nowhere'),
    share: { min: 0, max: 1 },
    applicationName: 'test',
  });
  expect((await failure(missing.query(null, 'SELECT 1', []))).code).toBe('UNAVAILABLE');
  await missing.close();
});

test('a table that changes its shape under a prepared statement is read all the same', async () => {
  const one = pool(1);
  await shards.sql(0, 'CREATE TABLE shape (a int)');
  await one.query(null, 'SELECT * FROM shape WHERE a > $1', [0]);
  await shards.sql(0, 'ALTER TABLE shape ADD COLUMN b text; INSERT INTO shape VALUES (1, $$x$$)');
  await expect(one.query(null, 'SELECT * FROM shape WHERE a > $1', [0])).resolves.toMatchObject({
    rows: [{ a: 1, b: 'x' }],
  });
  // A pooler may hand out another connection, or forget everything.
  await one.withClient((client) => client.query('DEALLOCATE ALL'));
  await expect(one.query(null, 'SELECT * FROM shape WHERE a > $1', [0])).resolves.toMatchObject({ rowCount: 1 });
});

test('without named statements and start-up parameters, as a pooler wants it', async () => {
  const one = pool(2, { pgbouncer: true });
  const pass = { guildId: GUILD, token: null };
  await Promise.all(
    Array.from({ length: 50 }, (_, id) => one.query(pass, 'INSERT INTO thing VALUES ($1, $2)', [GUILD, id])),
  );
  await expect(
    one.query(pass, 'SELECT count(*)::int AS n FROM thing WHERE guild_id = $1', [GUILD]),
  ).resolves.toMatchObject({ rows: [{ n: 50 }] });
  await one.withClient(async (client) => {
    const { rows } = await client.query('SELECT name FROM pg_prepared_statements');
    expect(rows).toEqual([]);
  });
});

test('a full disk: a typed error, and the pool goes on', async () => {
  if (process.getuid?.() !== 0) {
    console.warn('skipped: only root can mount the small disk that this needs');
    return;
  }
  const dir = `${shards.scene.base}/small`;
  execFileSync('mkdir', ['-p', dir]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0777', 'tmpfs', dir]);
  try {
    execFileSync('chmod', ['0700', dir]);
    execFileSync('chown', [String(ownerOf(shards.scene.data)), dir]);
    await shards.sql(0, `CREATE TABLESPACE small LOCATION '${dir}'`);
    await shards.sql(0, 'CREATE TABLE big (guild_id bigint, text text) TABLESPACE small');
    const one = pool(2);
    const error = await failure(
      one.query(
        { guildId: GUILD, token: null },
        `INSERT INTO big SELECT $1, repeat(md5(n::text), 20) FROM generate_series(1, 20000) n`,
        [GUILD],
      ),
    );
    expect(error).toMatchObject({ code: 'DISK_FULL', outcomeUnknown: false });
    expect(error.message).toContain('the disk of the server is full');
    await whole(one);
  } finally {
    await shards.sql(0, 'DROP TABLE IF EXISTS big').catch(() => undefined);
    await shards.sql(0, 'DROP TABLESPACE IF EXISTS small').catch(() => undefined);
    execFileSync('umount', ['-l', dir]);
  }
});

function ownerOf(path: string): number {
  return Number(execFileSync('stat', ['-c', '%u', path], { encoding: 'utf8' }));
}

test('the server goes away and comes back: the pool works again within two seconds of it', async () => {
  const one = pool(4);
  await whole(one);
  const pass = { guildId: GUILD, token: null };
  const seen = { codes: new Set<string>(), back: 0 };
  const state = { running: true };
  const asking = Promise.all(
    Array.from({ length: 8 }, async () => {
      while (state.running) {
        try {
          await one.query(pass, 'SELECT 1', []);
          seen.back = performance.now();
        } catch (error) {
          seen.codes.add((error as DataError).code);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }),
  );
  await shards.server.stop();
  await until(() => seen.codes.has('UNAVAILABLE'));
  await shards.server.start(shards.scene.signal);
  const up = performance.now();
  await until(() => seen.back > up, { timeoutMs: 2_000 });
  state.running = false;
  await asking;
  expect([...seen.codes]).toEqual(['UNAVAILABLE']);
  await whole(one);
});

test('a host that swallows everything is given up after the acquire time-out', async () => {
  const { createServer } = await import('node:net');
  const deaf = createServer(() => undefined);
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  const { port } = deaf.address() as { port: number };
  const one = new ShardPool({
    ...SETTINGS,
    acquireTimeout: 300,
    shard: 0,
    url: `postgres://u:p@127.0.0.1:${port}/d`,
    share: { min: 0, max: 1 },
    applicationName: 'test',
  });
  expect((await failure(one.query(null, 'SELECT 1', []))).code).toBe('UNAVAILABLE');
  await expect(
    connectClient({ url: `postgres://u:p@127.0.0.1:${port}/d`, applicationName: 'test', timeout: 200 }),
  ).rejects.toThrow();
  await one.close();
  deaf.close();
});
