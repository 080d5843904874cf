import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { chmodSync } from 'node:fs';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';
import { settled } from './support/settled';

const DATABASES = 4;

let sandbox: Sandbox;
let botctl: Botctl;

beforeEach(async () => {
  sandbox = new Sandbox({ guilds: 60, shards: 4, maxConcurrency: 16, identifyIntervalMs: 50 });
  const { apiUrl } = await sandbox.listen();
  botctl = new Botctl({
    bot: 'data.cjs',
    api: apiUrl,
    env: { BOTCTL_SYSTEM_DIR: '' },
    config: {
      sharding: { shardsPerCluster: 2, restart: { backoffMin: '100ms' } },
      identify: { interval: '50ms' },
      postgres: {
        tables: { answer: 'guild_id', visit: 'guild_id' },
        migrations: join(__dirname, 'migrations'),
        embedded: { enabled: true, shards: DATABASES },
      },
      redis: { embedded: { enabled: true } },
    },
  });
  // Postgres may have to run as another user, who needs a way in.
  chmodSync(botctl.dir, 0o755);
  botctl.env['BOTCTL_SYSTEM_DIR'] = join(botctl.dir, 'system');
});
afterEach(async () => {
  await botctl.cli('stop');
  await botctl.dispose();
  await sandbox.close();
});

async function sql<R>(shard: number, text: string, values: unknown[] = []): Promise<R[]> {
  const { address } = (await botctl.status()).postgres;
  const password = readFileSync(join(botctl.stateDir, 'postgres', 'password'), 'utf8').trim();
  const client = new Client({
    connectionString: `postgres://botctl:${encodeURIComponent(password)}@${address}/botctl_shard_${shard}`,
  });
  await client.connect();
  try {
    return (await client.query(text, values)).rows as R[];
  } finally {
    await client.end();
  }
}

/** Number of rows, and of different interactions among them, over all databases. */
async function kept(): Promise<{ rows: number; interactions: number }> {
  const seen = new Set<string>();
  let rows = 0;
  for (let shard = 0; shard < DATABASES; shard++) {
    for (const { interaction } of await sql<{ interaction: string }>(shard, 'SELECT interaction FROM answer')) {
      seen.add(interaction);
      rows++;
    }
  }
  return { rows, interactions: seen.size };
}

/** Everything that was answered is in the databases. The server may still be recovering. */
async function untilKept(): Promise<void> {
  await until(async () => ((await kept().catch(() => null))?.interactions ?? -1) >= sandbox.report().answered);
}

async function postmaster(): Promise<number> {
  const [row] = await sql<{ pid: string }>(0, `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1) AS pid`);
  return Number(row?.pid);
}

it('migrates, pools, caches; a guild moves by command under load, and nothing is lost or doubled', async () => {
  botctl.start();
  await botctl.untilReady();
  sandbox.setRate(100);
  await until(() => sandbox.report().answered >= 200);

  const [busiest] = await sql<{ guild: string }>(
    0,
    'SELECT guild_id::text AS guild FROM answer GROUP BY 1 ORDER BY count(*) DESC LIMIT 1',
  );
  const guild = busiest!.guild;
  const moved = await botctl.cli('db', 'move-guild', guild, '--to', '3');
  expect(moved).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringMatching(
      new RegExp(`guild ${guild} moved from database shard 0 to 3: \\d+ rows; writers waited`),
    ) as string,
  });
  const after = sandbox.report().answered;
  await until(() => sandbox.report().answered >= after + 200);
  sandbox.setRate(0);
  await settled(sandbox);

  const answered = sandbox.report().answered;
  expect(await kept()).toEqual({ rows: answered, interactions: answered });
  expect(await sql(0, 'SELECT FROM answer WHERE guild_id = $1', [guild])).toEqual([]);

  // Each cluster tells every few seconds: the first figures may be of before all was settled.
  const status = await botctl.untilStatus(
    ({ data }) =>
      data?.cache != null &&
      data.deferred?.pending === 0 &&
      data.cache.l1.hits > 0 &&
      data.shards.every(({ pools }) => pools.processes === 2 && pools.total > 0),
  );
  expect(status.data).toMatchObject({ problem: null, move: null, deferred: { pending: 0, deadLetters: 0 } });
  expect(status.data!.shards.map(({ shard, buckets }) => [shard, buckets])).toEqual([0, 1, 2, 3].map((n) => [n, 256]));
  for (const { pools } of status.data!.shards) expect(pools.total).toBeLessThanOrEqual(pools.max);
  const db = JSON.parse((await botctl.cli('db', 'status', '--json')).stdout) as Record<string, unknown>;
  expect(db['migrations']).toMatchObject([{ name: '001-answer.sql', shards: [{}, {}, {}, {}] }]);
  expect(db['moves']).toMatchObject([{ unit: `guild ${guild}`, from: 0, to: 3, state: 'done' }]);
  expect((await botctl.cli('db', 'status')).stdout).toMatch(/4 database shards are ready/);
  expect((await botctl.cli('db', 'migrate')).stdout).toMatch(/nothing to migrate/);
  expect(await botctl.cli('db', 'move-guild', guild, '--to', '3')).toMatchObject({ code: 1 });
  expect(await botctl.cli('db', 'move-guild', '12x', '--to', '1')).toMatchObject({ code: 1 });
});

it('Postgres and a cluster killed under load: every answered write lands once', async () => {
  botctl.start();
  await botctl.untilReady();
  sandbox.setRate(200);
  await until(() => sandbox.report().answered >= 100);
  const server = await postmaster();
  const [cluster] = (await botctl.status()).clusters;
  process.kill(server, 'SIGKILL');
  process.kill(cluster!.pid!, 'SIGKILL');
  await botctl.untilStatus(({ postgres }) => postgres.state === 'up');
  await botctl.untilReady();
  const after = sandbox.report().answered;
  await until(() => sandbox.report().answered >= after + 200);
  sandbox.setRate(0);
  // More than were answered: a cluster was killed before it could answer what it had kept.
  await untilKept();
  const { rows, interactions } = await kept();
  expect(rows).toBe(interactions); // none twice
  const { clusters } = await botctl.status();
  expect(clusters.map(({ restarts }) => restarts)).toEqual([1, 0]); // nobody died of the database
});

it('writes left by a killed cluster while Postgres is down are taken up by the next one', async () => {
  const { ended } = botctl.start();
  await botctl.untilReady();
  sandbox.setRate(100);
  await until(() => sandbox.report().answered >= 50);
  const server = await postmaster();
  process.kill(server, 'SIGSTOP'); // takes connections, answers nothing: no new ones can be had
  process.kill(server, 'SIGKILL');
  await until(() => sandbox.report().answered >= 100);
  sandbox.setRate(0);
  for (const { pid } of (await botctl.status()).clusters) process.kill(pid!, 'SIGKILL');
  await botctl.untilReady();
  await botctl.untilStatus(({ postgres, data }) => postgres.state === 'up' && (data?.deferred?.pending ?? 0) === 0);
  await untilKept();
  const { rows, interactions } = await kept();
  expect(rows).toBe(interactions);
  expect((await botctl.cli('stop')).code).toBe(0);
  expect((await ended).code).toBe(0);
});

/** Databases that answer and take no writes. */
async function readOnly(on: boolean): Promise<void> {
  const name = 'default_transaction_read_only';
  await sql(0, on ? `ALTER SYSTEM SET ${name} = on` : `ALTER SYSTEM RESET ${name}`);
  await sql(0, 'SELECT pg_reload_conf()');
}

it('a cluster is handed over while no write can land: those of each guild land in their order', async () => {
  botctl.start();
  await botctl.untilReady();
  sandbox.setRate(100);
  await until(() => sandbox.report().answered >= 50);
  await readOnly(true);
  await botctl.untilStatus(({ data }) => (data?.deferred?.pending ?? 0) >= 30);
  expect(await botctl.cli('restart', '--cluster', '0')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('handed over') as string,
  });
  const { answered } = sandbox.report();
  await until(() => sandbox.report().answered >= answered + 100);
  await readOnly(false);
  sandbox.setRate(0);
  await settled(sandbox);
  await untilKept();
  for (let shard = 0; shard < DATABASES; shard++) {
    // Each write of a guild begins when the one before it is committed; ids of interactions only grow.
    const landed = await sql<{ guild: string; interactions: string[] }>(
      shard,
      `SELECT guild_id::text AS guild, array_agg(interaction::text ORDER BY xmin::text::bigint) AS interactions
       FROM answer GROUP BY 1`,
    );
    for (const { interactions } of landed) expect(interactions).toEqual(inOrder(interactions));
  }
});

function inOrder(ids: readonly string[]): string[] {
  return [...ids].sort((a, b) => Number(BigInt(a) - BigInt(b)));
}

it('a start is refused when the databases are in another order, with one sentence', async () => {
  const first = botctl.start();
  await botctl.untilReady();
  await sql(1, 'UPDATE botctl.identity SET shard = 2');
  await botctl.cli('stop');
  await first.ended;
  const { code, stderr, stdout } = await botctl.start().ended;
  expect(code).toBe(1);
  expect(stdout + stderr).toContain('The database at place 1 of postgres.shards is database shard 2.');
  expect(stdout + stderr).toContain('Put postgres.shards back into its old order');
});
