import { setTimeout as delay } from 'node:timers/promises';
import { PostgresLevel } from '../../../src/data/cache';
import { type MoveProgress, Mover } from '../../../src/data/move/mover';
import type { MoveUnit } from '../../../src/data/move/unit';
import { bucketOf } from '../../../src/data/placement/bucket';
import { Shards } from '../support/shards';
import { snowflakes } from '../support/snowflakes';

/** A move is refused where rows change faster than a slow machine can copy them. */
const WRITE_EVERY_MS = 5;

const shards = new Shards(2);
const IDS = snowflakes(4_000, 21);
const home = (guild: bigint): number => bucketOf(guild) % 2;

/** Every kind of column and tie that a move has to carry. */
const SCHEMA = `
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE item_type (id int PRIMARY KEY, label text);
INSERT INTO item_type SELECT n, 'type ' || n FROM generate_series(1, 5) AS n;
CREATE TABLE settings (
  guild_id bigint PRIMARY KEY, prefix text, flags int[], extra jsonb, plain json, logo bytea, mood mood, moods mood[],
  price numeric(20, 6), ratio float8, at timestamptz, during tsrange, note varchar(20),
  upper_prefix text GENERATED ALWAYS AS (upper(prefix)) STORED
);
CREATE TABLE member (
  guild_id bigint NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, name text, inviter bigint,
  PRIMARY KEY (guild_id, id),
  FOREIGN KEY (guild_id, inviter) REFERENCES member (guild_id, id)
);
CREATE TABLE item (
  guild_id bigint NOT NULL REFERENCES settings ON DELETE CASCADE, member_id bigint NOT NULL, slot int, type_id int REFERENCES item_type,
  touched int NOT NULL DEFAULT 0,
  PRIMARY KEY (guild_id, member_id, slot),
  FOREIGN KEY (guild_id, member_id) REFERENCES member (guild_id, id),
  UNIQUE (guild_id, member_id, type_id)
);
CREATE TABLE by_text (guild text NOT NULL, k int, v text, PRIMARY KEY (guild, k));
CREATE TABLE nothing (guild_id bigint PRIMARY KEY);
CREATE FUNCTION count_touch() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION count_touch();`;

const TABLES = {
  settings: 'guild_id',
  member: 'guild_id',
  'public.item': 'guild_id',
  by_text: 'guild',
  nothing: 'guild_id',
};

const fill = (guild: bigint): string => `
INSERT INTO settings (guild_id, prefix, flags, extra, plain, logo, mood, moods, price, ratio, at, during, note) VALUES
  (${guild}, 'pre', '{1,NULL,3}', '{"b":[1,2.50],"a":null}', '{"z": 1,  "a": 2}', '\\x00ff10', 'cross', '{calm,cross}',
   12345.678900, 0.1, '2026-03-29 01:30:00+01', '[2026-01-01, infinity)', 'äöü'), (${guild + 1n}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', 'infinity', NULL, '');
INSERT INTO member (guild_id, name, inviter) SELECT ${guild}, 'm' || n, NULL FROM generate_series(1, 200) AS n;
UPDATE member SET inviter = (SELECT min(id) FROM member WHERE guild_id = ${guild}) WHERE guild_id = ${guild} AND id % 2 = 0;
INSERT INTO item (guild_id, member_id, slot, type_id) SELECT guild_id, id, s, s FROM member, generate_series(1, 3) AS s WHERE guild_id = ${guild};
INSERT INTO by_text SELECT '${guild}', n, 'v' || n FROM generate_series(1, 10) AS n;`;

const FINGERPRINT = `
SELECT (SELECT count(*)::int FROM settings WHERE guild_id = $1) AS settings,
       (SELECT md5(string_agg(s::text, '|' ORDER BY guild_id)) FROM settings s WHERE guild_id = $1) AS s,
       (SELECT md5(string_agg(m::text, '|' ORDER BY id)) FROM member m WHERE guild_id = $1) AS m,
       (SELECT md5(string_agg(i::text, '|' ORDER BY member_id, slot)) FROM item i WHERE guild_id = $1) AS i,
       (SELECT md5(string_agg(t::text, '|' ORDER BY k)) FROM by_text t WHERE guild = $1::text) AS t`;
const GONE = { settings: 0, s: null, m: null, i: null, t: null };

const fingerprint = async (shard: number, guild: bigint): Promise<unknown> =>
  (await shards.sql(shard, FINGERPRINT, [guild]))[0];
const mover = (onProgress?: (progress: MoveProgress) => void): Mover =>
  new Mover({ connect: shards.connect, tables: TABLES, ...(onProgress !== undefined && { onProgress }) });
const unit = (guildId: bigint): MoveUnit => ({ kind: 'guild', guildId });

let next = 0;
function newGuild(shard: number): bigint {
  for (;;) {
    const guild = IDS[next++]!;
    if (home(guild) === shard) return guild;
  }
}

beforeAll(async () => {
  await shards.start();
  await shards.everywhere(SCHEMA);
});
afterAll(() => shards.end());

test('a guild moves with all its rows, and nobody else does', async () => {
  const guild = newGuild(0);
  await shards.sql(0, fill(guild));
  const before = await fingerprint(0, guild);
  const neighbour = await fingerprint(0, guild + 1n);
  const phases = new Set<string>();
  const done = await mover(({ phase }) => phases.add(phase)).move(unit(guild), 1);
  expect(done).toMatchObject({ state: 'done', rows: 1 + 200 + 600 + 10 });
  expect(done.pauseMs).toBeGreaterThan(0);
  expect([...phases]).toEqual(['preparing', 'copying', 'catching up', 'verifying', 'switching', 'cleaning', 'done']);
  expect(await fingerprint(1, guild)).toEqual(before);
  expect(await fingerprint(0, guild)).toEqual(GONE);
  expect(await fingerprint(0, guild + 1n)).toEqual(neighbour);
  const left = await shards.sql(
    0,
    `SELECT relname FROM pg_class WHERE relname LIKE 'move\\_%' AND relname NOT LIKE 'move\\_open' AND relname NOT LIKE 'move_pkey'`,
  );
  expect(left).toEqual([]);
  expect(await shards.sql(0, `SELECT tgname FROM pg_trigger WHERE tgname LIKE 'botctl%'`)).toEqual([]);
});

test('cached rows do not come back from the dead with their guild', async () => {
  const guild = newGuild(0);
  await shards.sql(0, fill(guild));
  const db = shards.database();
  const level = new PostgresLevel<string>(
    {
      query: (id, text, values) => db.query(id, text, values),
      everyShard: async (text, values) => {
        await db.everyShard((shard) => shard.query(text, values));
      },
    },
    { region: 'names' },
  );
  const place = { guildId: guild };
  await level.write('name', 'old', [], place);
  expect(await level.read('name', place)).toMatchObject({ found: true, value: 'old' });
  await mover().move(unit(guild), 1);
  expect(await level.read('name', place)).toMatchObject({ found: false });
  await level.write('name', 'new', [], place);
  await mover().move(unit(guild), 0);
  expect(await level.read('name', place)).toMatchObject({ found: false });
});

test('and back again; home, it needs no pin', async () => {
  const guild = newGuild(1);
  await shards.sql(1, fill(guild));
  const before = await fingerprint(1, guild);
  await mover().move(unit(guild), 0);
  expect(await shards.sql(0, 'SELECT shard FROM botctl.placement_pin WHERE guild_id = $1', [guild])).toEqual([
    { shard: 0 },
  ]);
  await mover().move(unit(guild), 1);
  expect(await fingerprint(1, guild)).toEqual(before);
  expect(await shards.sql(0, 'SELECT shard FROM botctl.placement_pin WHERE guild_id = $1', [guild])).toEqual([]);
  expect(await shards.sql(1, 'SELECT botctl.owns($1) AS here', [guild])).toEqual([{ here: true }]);
  await mover().move(unit(guild), 0);
  expect(await fingerprint(0, guild)).toEqual(before);
});

test('a process that knows the old place follows, in statements and transactions', async () => {
  const guild = newGuild(0);
  await shards.sql(0, fill(guild));
  const db = shards.database();
  await db.query(guild, 'SELECT 1');
  await mover().move(unit(guild), 1);
  const { rows } = await db.query(guild, 'SELECT prefix FROM settings WHERE guild_id = $1', [guild]);
  expect(rows).toEqual([{ prefix: 'pre' }]);
  await db.transaction(guild, (tx) => tx.query(`UPDATE settings SET prefix = 'new' WHERE guild_id = $1`, [guild]));
  expect(await shards.sql(1, 'SELECT prefix FROM settings WHERE guild_id = $1', [guild])).toEqual([{ prefix: 'new' }]);
});

test('writes during the move are all there afterwards, once', async () => {
  const guild = newGuild(0);
  await shards.sql(0, fill(guild));
  const db = shards.database();
  const state = { moving: true, writes: 0, errors: [] as unknown[] };
  const writer = async (lane: number): Promise<void> => {
    for (let n = 0; (state.moving || n < 5) && state.errors.length === 0; n++) {
      try {
        await db.transaction(guild, async (tx) => {
          const k = 1_000_000 * (lane + 1) + n;
          await tx.query('INSERT INTO by_text VALUES ($1, $2, $3)', [`${guild}`, k, 'first']);
          if (n % 3 === 0)
            await tx.query('UPDATE by_text SET v = $3 WHERE guild = $1 AND k = $2', [`${guild}`, k, 'second']);
          if (n % 5 === 0) await tx.query('DELETE FROM by_text WHERE guild = $1 AND k = $2', [`${guild}`, k]);
          if (n % 7 === 0)
            await tx.query(`UPDATE member SET name = name || '+' WHERE guild_id = $1 AND id % 4 = $2`, [guild, lane]);
        });
        state.writes++;
        await delay(WRITE_EVERY_MS);
      } catch (error) {
        state.errors.push(error);
      }
    }
  };
  const writers = [0, 1, 2, 3].map((lane) => writer(lane));
  const pauses: (number | null)[] = [];
  try {
    for (const to of [1, 0, 1]) pauses.push((await mover().move(unit(guild), to)).pauseMs);
  } finally {
    state.moving = false;
    await Promise.all(writers);
  }
  expect(state.errors).toEqual([]);
  const perLane = await shards.sql(
    1,
    `SELECT k / 1000000 AS lane, count(*)::int AS rows, max(k % 1000000)::int AS last FROM by_text WHERE guild = $1 AND k >= 1000000 GROUP BY 1 ORDER BY 1`,
    [`${guild}`],
  );
  let expected = 0;
  for (const { rows, last } of perLane as { rows: number; last: number }[]) {
    // Every fifth was deleted again; the last one may have been one of those.
    const lowest = last + 1 - Math.ceil((last + 1) / 5);
    expect(rows).toBe(lowest);
    expected += rows;
  }
  expect(perLane).toHaveLength(4);
  expect(expected).toBeGreaterThan(0);
  expect(await fingerprint(0, guild)).toEqual(GONE);
  for (const pauseMs of pauses) expect(pauseMs).toBeGreaterThan(0);
});

test('numbers that the target gives out afterwards are new, those of the pause included', async () => {
  const guild = newGuild(0);
  await shards.sql(0, fill(guild));
  await shards.sql(0, `SELECT setval(pg_get_serial_sequence('member', 'id'), 1000000)`);
  const db = shards.database();
  const ids: bigint[] = [];
  const insert = async (): Promise<void> => {
    const { rows } = await db.query<{ id: string }>(
      guild,
      `INSERT INTO member (guild_id, name) VALUES ($1, 'new') RETURNING id::text`,
      [guild],
    );
    ids.push(BigInt(rows[0]!.id));
  };
  const state = { moving: true };
  const inserting = (async () => {
    while (state.moving) {
      await insert();
      await delay(WRITE_EVERY_MS);
    }
  })();
  try {
    await mover().move(unit(guild), 1);
  } finally {
    state.moving = false;
    await inserting;
  }
  for (let n = 0; n < 20; n++) await insert();
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => id > 1_000_000n)).toBe(true);
});

test('a bucket moves with its guilds; a pinned one stays where it is', async () => {
  const first = newGuild(0);
  const bucket = bucketOf(first);
  const others = snowflakes(60_000, 5)
    .filter((id) => bucketOf(id) === bucket)
    .slice(0, 4);
  const [pinned = 0n, returned = 0n] = others;
  for (const guild of [first, ...others])
    await shards.sql(0, `INSERT INTO settings (guild_id, prefix) VALUES (${guild}, 'b')`);
  await mover().move(unit(pinned), 1);
  await mover().move(unit(returned), 1);
  await mover().move(unit(returned), 0);
  const db = shards.database();
  await db.query(first, 'SELECT 1');
  await mover().move({ kind: 'bucket', bucket }, 1);
  const { rows } = await db.query(
    first,
    'SELECT count(*)::int AS n FROM settings WHERE (hashint8(guild_id) & 1023) = $1',
    [bucket],
  );
  expect(rows).toEqual([{ n: 5 }]);
  await mover().move({ kind: 'bucket', bucket }, 0);
  for (const guild of [first, ...others]) {
    const shard = guild === pinned ? 1 : 0;
    expect(await shards.sql(shard, 'SELECT prefix FROM settings WHERE guild_id = $1', [guild])).toEqual([
      { prefix: 'b' },
    ]);
    expect(await shards.sql(1 - shard, 'SELECT prefix FROM settings WHERE guild_id = $1', [guild])).toEqual([]);
    await expect(
      db.query(guild, `UPDATE settings SET prefix = 'c' WHERE guild_id = $1`, [guild]),
    ).resolves.toMatchObject({ rowCount: 1 });
    await shards.sql(shard, `UPDATE settings SET prefix = 'b' WHERE guild_id = $1`, [guild]);
  }
});

describe('refused before anything is touched', () => {
  const refused = async (tables: Record<string, string>, guild: bigint): Promise<string> => {
    const failing = new Mover({ connect: shards.connect, tables }).move(unit(guild), 1);
    return failing.then(
      () => 'moved',
      (error: unknown) => (error as Error).message,
    );
  };

  test.each<[Record<string, string>, RegExp]>([
    [{ absent: 'guild_id' }, /Table absent \(postgres\.tables\) does not exist\. Migrate the shards first\./],
    [{ settings: 'guild' }, /Table settings has no column guild \(postgres\.tables\)\. It has: .*guild_id/],
    [{ keyless: 'guild_id' }, /Table keyless has no primary key/],
    [{ settings: 'guild_id' }, /Table item refers to settings \(.*\) but is not among postgres\.tables/],
    [{ uneven: 'guild_id' }, /Table uneven differs between the two database shards\. Run: botctl db migrate/],
  ])('%j', async (tables, message) => {
    await shards.everywhere('CREATE TABLE IF NOT EXISTS keyless (guild_id bigint)');
    await shards.sql(0, 'CREATE TABLE IF NOT EXISTS uneven (guild_id bigint PRIMARY KEY, a int)');
    await shards.sql(1, 'CREATE TABLE IF NOT EXISTS uneven (guild_id bigint PRIMARY KEY, a bigint)');
    const guild = newGuild(0);
    expect(await refused(tables, guild)).toMatch(message);
    expect(await shards.sql(0, `SELECT botctl.owns($1) AS here`, [guild])).toEqual([{ here: true }]);
    expect(await shards.sql(0, `SELECT state FROM botctl.move WHERE unit = $1`, [guild])).toEqual([
      { state: 'aborted' },
    ]);
    expect(await shards.sql(0, `SELECT tgname FROM pg_trigger WHERE tgname LIKE 'botctl%'`)).toEqual([]);
  });

  test('where it is already', async () => {
    await expect(mover().move(unit(newGuild(0)), 0)).rejects.toThrow(/is on database shard 0 already/);
  });
});

test('a row of the target in the way: the move is taken back and the source serves on', async () => {
  const guild = newGuild(0);
  await shards.everywhere('CREATE TABLE IF NOT EXISTS ticket (id int PRIMARY KEY, guild_id bigint)');
  await shards.sql(0, `INSERT INTO ticket VALUES (7, ${guild})`);
  await shards.sql(1, `INSERT INTO ticket VALUES (7, ${guild + 2n})`);
  const moving = new Mover({ connect: shards.connect, tables: { ticket: 'guild_id' } }).move(unit(guild), 1);
  await expect(moving).rejects.toMatchObject({ code: '23505' });
  expect(await shards.sql(0, 'SELECT id FROM ticket WHERE guild_id = $1', [guild])).toEqual([{ id: 7 }]);
  expect(await shards.sql(1, 'SELECT guild_id::text FROM ticket')).toEqual([{ guild_id: `${guild + 2n}` }]);
  await expect(shards.database().query(guild, 'UPDATE ticket SET id = 8 WHERE id = 7')).resolves.toMatchObject({
    rowCount: 1,
  });
});

test('a reference to a row that the target lacks is found before the switch', async () => {
  const guild = newGuild(0);
  await shards.sql(0, fill(guild));
  await shards.sql(
    0,
    `INSERT INTO item_type VALUES (99, 'only here'); UPDATE item SET type_id = 99 WHERE guild_id = ${guild} AND slot = 1`,
  );
  await expect(mover().move(unit(guild), 1)).rejects.toThrow(/item refers to rows of item_type .* does not have/);
  expect(await fingerprint(1, guild)).toEqual(GONE);
  expect(await shards.sql(0, 'SELECT botctl.owns($1) AS here', [guild])).toEqual([{ here: true }]);
});
