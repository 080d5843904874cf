import { DataError } from '../../../src/data/data-error';
import { bucketOf } from '../../../src/data/placement/bucket';
import { BucketMap } from '../../../src/data/placement/bucket-map';
import { initialBuckets } from '../../../src/data/placement/rebalance';
import { Shards } from '../support/shards';
import { snowflakes } from '../support/snowflakes';

const shards = new Shards(3);
const GUILDS = snowflakes(200, 3);
const home = (guild: bigint): number => bucketOf(guild) % 3;

beforeAll(async () => {
  await shards.start();
  await shards.everywhere('CREATE TABLE settings (guild_id bigint PRIMARY KEY, value jsonb)');
});
afterAll(() => shards.end());

test('the bucket of an id is the same here and in SQL', async () => {
  const rows = await shards.sql(
    0,
    'SELECT id::text, hashint8(id) & 1023 AS bucket, botctl.bucket_of(id) AS own FROM unnest($1::bigint[]) AS id',
    [[...snowflakes(20_000, 11), 1n, 2n ** 63n - 1n, 2n ** 32n, 2n ** 31n].map(String)],
  );
  for (const { id, bucket, own } of rows) {
    expect(bucketOf(BigInt(id as string))).toBe(bucket);
    expect(own).toBe(bucket);
  }
});

test('a guild is read and written on its own shard', async () => {
  const db = shards.database();
  await Promise.all(
    GUILDS.map((guild) => db.query(guild, 'INSERT INTO settings VALUES ($1, $2)', [guild, { id: `${guild}` }])),
  );
  for (const guild of GUILDS) {
    const { rows } = await db.query(guild.toString(), 'SELECT value FROM settings WHERE guild_id = $1', [guild]);
    expect(rows).toEqual([{ value: { id: `${guild}` } }]);
  }
  const perShard = await db.everyShard(async ({ shard, query }) => {
    const { rows } = await query<{ id: string }>('SELECT guild_id::text AS id FROM settings');
    expect(rows.every(({ id }) => home(BigInt(id)) === shard)).toBe(true);
    return rows.length;
  });
  expect(perShard.reduce((sum, count) => sum + count, 0)).toBe(GUILDS.length);
});

test('a statement without values, one that fails, and one after it', async () => {
  const db = shards.database({ max: 1 });
  const guild = GUILDS[0]!;
  await expect(db.query(guild, 'SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] });
  await expect(db.query(guild, 'SELECT nonsense')).rejects.toMatchObject({ code: '42703' });
  await expect(db.query(guild, 'SELECT $1::int / 0 AS x', [1])).rejects.toMatchObject({ code: '22012' });
  await expect(db.query(guild, 'SELECT 2 AS two')).resolves.toMatchObject({ rows: [{ two: 2 }] });
  await expect(db.query(guild, 'INSERT INTO settings VALUES ($1, to_jsonb(1))', [guild])).rejects.toMatchObject({
    code: '23505',
  });
});

test('many at once share few connections and each gets its own answer', async () => {
  const db = shards.database({ max: 2 });
  const answers = await Promise.all(
    Array.from({ length: 2_000 }, async (_, n) => {
      const { rows } = await db.query(
        GUILDS[n % GUILDS.length]!,
        n % 5 === 0 ? 'SELECT $1::int AS m' : 'SELECT $1::int AS n',
        [n],
      );
      return Object.values(rows[0]!)[0];
    }),
  );
  expect(answers).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
  for (const stats of db.stats()) expect(stats.total).toBeLessThanOrEqual(2);
});

describe('a transaction', () => {
  test('is committed, or rolled back by an error', async () => {
    const db = shards.database();
    const guild = snowflakes(1, 500)[0]!;
    await db.transaction(guild, async (tx) => {
      await tx.query('INSERT INTO settings VALUES ($1, to_jsonb(1))', [guild]);
    });
    const failing = db.transaction(guild, async (tx) => {
      await tx.query('DELETE FROM settings WHERE guild_id = $1', [guild]);
      throw new Error('the bot changed its mind');
    });
    await expect(failing).rejects.toThrow('the bot changed its mind');
    await expect(db.query(guild, 'SELECT value FROM settings WHERE guild_id = $1', [guild])).resolves.toMatchObject({
      rows: [{ value: 1 }],
    });
  });

  test('in which an error was swallowed does not pass for committed', async () => {
    const db = shards.database({ max: 1 });
    const guild = snowflakes(1, 501)[0]!;
    const swallowing = db.transaction(guild, async (tx) => {
      await tx.query('INSERT INTO settings VALUES ($1, to_jsonb(1))', [guild]);
      await tx.query('SELECT nonsense').catch(() => undefined);
    });
    await expect(swallowing).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED' });
    await expect(db.query(guild, 'SELECT FROM settings WHERE guild_id = $1', [guild])).resolves.toMatchObject({
      rowCount: 0,
    });
    const after = db.transaction(guild, async (tx) => {
      await tx.query('SELECT nonsense').catch(() => undefined);
      await tx.query('SELECT 1');
    });
    await expect(after).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED', shard: home(guild) });
  });

  test('lends its connection only until it ends', async () => {
    const db = shards.database({ max: 1 });
    let kept: { query(text: string): Promise<unknown> } | null = null;
    await db.transaction(GUILDS[0]!, async (tx) => {
      kept = tx;
      await tx.query('SELECT 1');
    });
    await expect(kept!.query('SELECT 1')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('keeps its isolation level', async () => {
    const db = shards.database();
    const level = await db.transaction(
      GUILDS[0]!,
      async (tx) =>
        (await tx.query<{ level: string }>(`SELECT current_setting('transaction_isolation') AS level`)).rows,
      { isolation: 'serializable' },
    );
    expect(level).toEqual([{ level: 'serializable' }]);
  });
});

/** A map in which every guild is one shard further than it is. */
const STALE = {
  version: 0,
  buckets: initialBuckets(3).map((shard) => (shard + 1) % 3),
  pins: new Map<bigint, number>(),
};

describe('a transaction begins with its first statement', () => {
  test('until then it holds no connection', async () => {
    const db = shards.database({ max: 1 });
    const guild = GUILDS[2]!;
    const outer = db.transaction(guild, async (tx) => {
      // With a connection held out there, this one would wait for ever.
      await db.transaction(guild, (inner) => inner.query('SELECT 1'));
      return (await tx.query<{ two: number }>('SELECT 2 AS two')).rows;
    });
    await expect(outer).resolves.toEqual([{ two: 2 }]);
    await expect(db.transaction(guild, () => Promise.resolve('nothing asked'))).resolves.toBe('nothing asked');
    expect(db.stats()[home(guild)]).toMatchObject({ inUse: 0, idle: 1, waiting: 0 });
  });

  test('a guild that has moved is followed, and the function is called once', async () => {
    const guild = snowflakes(1, 502)[0]!;
    for (const first of ['INSERT INTO settings VALUES ($1, to_jsonb(1))', 'SELECT 1']) {
      let reads = 0;
      const db = shards.database({ read: (real) => (reads++ === 0 ? Promise.resolve(STALE) : real()) });
      const seen: number[] = [];
      await db.transaction(guild, async (tx) => {
        seen.push(tx.shard);
        await tx.query(first, first.includes('$1') ? [guild] : []);
        seen.push(tx.shard);
        await tx.query('UPDATE settings SET value = to_jsonb(7) WHERE guild_id = $1', [guild]);
      });
      expect(seen).toEqual([(home(guild) + 1) % 3, home(guild)]);
      const { rows } = await db.query(guild, 'SELECT value FROM settings WHERE guild_id = $1', [guild]);
      expect(rows).toEqual([{ value: 7 }]);
    }
  });

  test('one whose first statement failed takes nothing more and gives its connection back', async () => {
    const db = shards.database({ max: 1 });
    const guild = snowflakes(1, 503)[0]!;
    const going = db.transaction(guild, async (tx) => {
      await expect(tx.query('SELECT $1::int / 0', [1])).rejects.toMatchObject({ code: '22012' });
      await db.query(guild, 'SELECT 1');
      await tx.query('INSERT INTO settings VALUES ($1, to_jsonb(1))', [guild]);
    });
    await expect(going).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: '22012' } });
    const swallowed = db.transaction(guild, async (tx) => {
      await tx.query('SELECT $1::int / 0', [1]).catch(() => undefined);
    });
    await expect(swallowed).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED', cause: { code: '22012' } });
    const thrown = db.transaction(guild, (tx) => tx.query('SELECT nonsense WHERE $1', [true]));
    await expect(thrown).rejects.toMatchObject({ code: '42703' });
    expect(db.stats()[home(guild)]).toMatchObject({ inUse: 0, idle: 1, destroyed: 0 });
  });

  test('statements that are not awaited run in their order before the commit', async () => {
    const db = shards.database();
    const guild = snowflakes(1, 504)[0]!;
    await db.transaction(guild, (tx) => {
      void tx.query('INSERT INTO settings VALUES ($1, to_jsonb(1))', [guild]);
      void tx.query('UPDATE settings SET value = to_jsonb(2) WHERE guild_id = $1', [guild]);
      void tx.query('UPDATE settings SET value = to_jsonb(value::int * 10) WHERE guild_id = $1', [guild]);
      return Promise.resolve();
    });
    const { rows } = await db.query(guild, 'SELECT value FROM settings WHERE guild_id = $1', [guild]);
    expect(rows).toEqual([{ value: 20 }]);
  });

  test('a table that was altered meanwhile does not fail it', async () => {
    const db = shards.database({ max: 1 });
    const guild = GUILDS[3]!;
    await shards.everywhere('CREATE TABLE shape (a int); INSERT INTO shape VALUES (1)');
    const read = (): Promise<unknown> =>
      db.transaction(guild, async (tx) => (await tx.query('SELECT * FROM shape WHERE a = $1', [1])).rows);
    await expect(read()).resolves.toEqual([{ a: 1 }]);
    await shards.everywhere('ALTER TABLE shape ADD COLUMN b text');
    await expect(read()).resolves.toEqual([{ a: 1, b: null }]);
  });
});

test('no statement lands on a shard that the guild is not on', async () => {
  const guild = GUILDS[1]!;
  const wrong = (home(guild) + 1) % 3;
  const pool = shards.pool(wrong);
  const insert = pool.query({ guildId: guild, token: null }, 'INSERT INTO settings VALUES ($1, to_jsonb(2))', [guild]);
  await expect(insert).rejects.toMatchObject({ code: 'BC001' });
  const [{ count } = { count: -1 }] = await shards.sql(
    wrong,
    'SELECT count(*)::int FROM settings WHERE guild_id = $1',
    [guild],
  );
  expect(count).toBe(0);
  await pool.close();
});

test('what the ownership check goes by cannot be deleted', async () => {
  await expect(shards.sql(0, 'DELETE FROM botctl.bucket WHERE bucket = 5')).rejects.toThrow('never deleted');
  await expect(shards.sql(0, 'TRUNCATE botctl.bucket')).rejects.toThrow('never deleted');
});

test('a process with a stale map finds the guild all the same', async () => {
  let reads = 0;
  const db = shards.database({ read: (real) => (reads++ === 0 ? Promise.resolve(STALE) : real()) });
  for (const guild of GUILDS.slice(0, 20)) {
    await expect(
      db.query(guild, 'SELECT guild_id::text AS id FROM settings WHERE guild_id = $1', [guild]),
    ).resolves.toMatchObject({
      rows: [{ id: `${guild}` }],
    });
  }
  expect(reads).toBe(2);
});

test('executeOnShard lends one connection; every statement on it is checked', async () => {
  const db = shards.database();
  const guild = GUILDS[2]!;
  const pids = await db.executeOnShard(guild, async (connection) => {
    expect(connection.shard).toBe(home(guild));
    const first = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const second = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return [first.rows[0]!.pid, second.rows[0]!.pid];
  });
  expect(pids[0]).toBe(pids[1]);
});

test('a connection that was left inside a transaction is not handed on', async () => {
  const db = shards.database({ max: 1 });
  const guild = GUILDS[2]!;
  await db.executeOnShard(guild, (connection) => connection.query('BEGIN'));
  const { rows } = await db.query<{ open: boolean }>(
    guild,
    'SELECT now() <> statement_timestamp() AND false AS open, pg_current_xact_id_if_assigned() AS xid',
  );
  expect(rows[0]).toMatchObject({ xid: null });
  expect(db.stats()[home(guild)]).toMatchObject({ created: 2, destroyed: 1 });
});

test.each([12, -1n, 'abc', (2n ** 64n).toString()])('refuses %p as a guild id', async (id) => {
  const db = shards.database();
  await expect(db.query(id as string, 'SELECT 1')).rejects.toBeInstanceOf(DataError);
  await expect(db.transaction(id as string, () => Promise.resolve())).rejects.toMatchObject({
    code: 'INVALID_GUILD_ID',
  });
});

test('everyShard tells which shards failed, and what the others did is done', async () => {
  const db = shards.database();
  const seen: number[] = [];
  const run = db.everyShard(async ({ shard, query }) => {
    seen.push(shard);
    await query(shard === 1 ? 'SELECT nonsense' : 'SELECT 1');
  });
  await expect(run).rejects.toThrow('failed on database shard 1 of 3');
  expect(seen.sort()).toEqual([0, 1, 2]);
});

test('counts of the map', () => {
  expect(new BucketMap({ version: 1, buckets: initialBuckets(3), pins: new Map() }).counts(3)).toEqual([342, 341, 341]);
});
