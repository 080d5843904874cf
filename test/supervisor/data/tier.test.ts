import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { type Config, loadConfig } from '../../../src/config';
import { PoolBudgetError } from '../../../src/data/pool/budget';
import { MigrationError } from '../../../src/data/schema/migrator';
import { DataTier } from '../../../src/supervisor/data/tier';
import { placementFile } from '../../../src/supervisor/data/settings';
import { Shards } from '../../data/support/shards';
import { until } from '../../support/until';

const GUILD = 81_384_788_765_712_384n;

const shards = new Shards(2);
const tiers: DataTier[] = [];
let config: Config;

beforeAll(async () => {
  await shards.start();
  await shards.everywhere('CREATE TABLE note (guild_id bigint PRIMARY KEY, text text)');
});
beforeEach(async () => {
  const dir = shards.scene.base;
  mkdirSync(join(dir, 'migrations'), { recursive: true });
  writeFileSync(join(dir, 'bot.js'), '');
  writeFileSync(
    join(dir, 'botctl.yaml'),
    JSON.stringify({
      bot: { entry: './bot.js', token: 'abcdefgh' },
      postgres: { shards: shards.urls, tables: { note: 'guild_id' }, migrations: './migrations' },
      stateDir: dir,
    }),
  );
  ({ config } = await loadConfig({ cwd: dir, env: {} }));
});
afterEach(async () => {
  await Promise.all(tiers.splice(0).map((tier) => tier.stop()));
});
afterAll(() => shards.end());

function tier(change: Partial<Config['postgres']['pool']> = {}, urls = shards.urls): DataTier {
  const postgres = { ...config.postgres, pool: { ...config.postgres.pool, ...change } };
  const made = new DataTier({
    config: { ...config, postgres },
    databaseUrls: urls,
    logger: pino({ level: 'silent' }),
  });
  tiers.push(made);
  return made;
}

test('a budget that does not go round is refused with the arithmetic', async () => {
  const made = tier({ max: 20 });
  await made.start();
  await expect(made.share(8)).rejects.toMatchObject({
    name: 'PoolBudgetError',
    message: 'postgres.pool.max is 20, but 8 clusters x 2 database shards x 1 connection + 8 of the supervisor = 24.',
  });
  await expect(made.share(6)).resolves.toEqual({ min: 0, max: 1 });
});

test('more connections than the server has are refused with the arithmetic, and what is free is taken', async () => {
  const [{ max }] = (await shards.sql(0, `SELECT current_setting('max_connections')::int AS max`)) as [{ max: number }];
  const made = tier({ max: 4 * max });
  await made.start();
  const refusal: unknown = await made.share(4).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(PoolBudgetError);
  expect((refusal as Error).message).toContain(`(max_connections ${max} - `);
  expect((refusal as Error).message).toMatch(
    /2 database shards x \(4 clusters x \d+ \+ 4 of the supervisor\) = \d+\.$/,
  );
  await expect(tier({ max: 40 }).share(4)).resolves.toEqual({ min: 1, max: 4 });
});

test('servers that are down at the start are prepared when they are back; the bot starts meanwhile', async () => {
  await shards.server.stop();
  let made: DataTier;
  try {
    made = tier();
    await made.start();
    expect(made.view().problem).toMatch(/connect|refused/i);
    await expect(made.share(2)).resolves.toMatchObject({ max: 23 });
  } finally {
    await shards.server.start(shards.scene.signal);
  }
  await until(() => made.view().problem === null);
  expect(made.view().shards.map(({ buckets }) => buckets)).toEqual([512, 512]);
});

test('an address never shows its password', async () => {
  const made = tier({}, shards.urls);
  const text = JSON.stringify(made.view());
  for (const url of shards.urls) expect(text).not.toContain(decodeURIComponent(new URL(url).password));
  expect(made.view().shards[1]?.address).toBe(`${new URL(shards.urls[1]!).host}${new URL(shards.urls[1]!).pathname}`);
  await made.stop();
});

test('a guild is moved; the placement is kept for the time when the catalogue is down', async () => {
  const made = tier();
  await made.start();
  const database = shards.database();
  await database.query(GUILD, 'INSERT INTO note VALUES ($1, $2)', [GUILD, 'hello']);
  const from = database.shardOf(GUILD);
  const phases: string[] = [];
  const record = await made.move({ kind: 'guild', guildId: GUILD }, 1 - from, ({ phase }) => phases.push(phase));
  expect(record).toMatchObject({ from, to: 1 - from, state: 'done', rows: 1 });
  expect(phases.at(-1)).toBe('done');
  expect(made.view()).toMatchObject({ move: null });
  expect(made.view().shards.map(({ pinnedGuilds }) => pinnedGuilds)).toContain(1);
  expect(await made.recentMoves()).toMatchObject([{ unit: { kind: 'guild', guildId: GUILD }, state: 'done' }]);
  const kept = JSON.stringify(await import(placementFile(config.stateDir)));
  expect(kept).toContain(String(GUILD));
});

test('a migration that fails names itself and stops the start', async () => {
  const file = join(config.postgres.migrations!, '001-broken.sql');
  writeFileSync(file, 'CREATE TABLE half (id int); SELEC 1;');
  const made = tier();
  const refusal: unknown = await made.start().catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(MigrationError);
  expect((refusal as Error).message).toMatch(/001-broken\.sql.*SELEC/s);
  expect(await shards.sql(0, "SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);
});

test('a server that goes away in the middle of a migration is no reason not to start', async () => {
  const folder = config.postgres.migrations!;
  rmSync(join(folder, '001-broken.sql'));
  writeFileSync(join(folder, '001-cut.sql'), 'SELECT pg_terminate_backend(pg_backend_pid());');
  const made = tier();
  await made.start();
  expect(made.view().problem).toMatch(/terminat/i);
  rmSync(join(folder, '001-cut.sql'));
  writeFileSync(join(folder, '001-fine.sql'), 'CREATE TABLE fine (id int);');
  await until(() => made.view().problem === null);
  expect(
    (await made.migrations()).map((list) => list.map(({ name, appliedAt }) => [name, appliedAt !== null])),
  ).toEqual([[['001-fine.sql', true]], [['001-fine.sql', true]]]);
});
