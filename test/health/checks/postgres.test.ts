import { PostgresCheck } from '../../../src/health/checks/postgres';
import { connectClient } from '../../../src/data/pool/connect';
import { Shards } from '../../data/support/shards';
import { until } from '../../support/until';
import { Watch } from '../support/watch';

const TIMEOUT_MS = 400;

let shards: Shards;
let watch: Watch;

beforeAll(async () => {
  shards = await new Shards(2).start();
});
afterAll(() => shards.end());
afterEach(() => watch.stop());

function check(shard: number, url = (): string => shards.urls[shard]!): PostgresCheck {
  return new PostgresCheck({
    shard,
    timeoutMs: TIMEOUT_MS,
    connect: (timeout) => connectClient({ url: url(), applicationName: 'test health', timeout }),
  });
}

function watchAll(): void {
  watch = new Watch([check(0), check(1)], { intervalMs: 2 * TIMEOUT_MS });
}

it('a server that is paused (SIGSTOP) is unhealthy with each of its shards, and recovers', async () => {
  watchAll();
  await watch.until('healthy');
  const { pid } = shards.scene.server;
  process.kill(pid, 'SIGSTOP');
  try {
    const result = await watch.until('unhealthy');
    expect(watch.results().map(({ scope }) => scope)).toEqual([0, 1].map((id) => ({ kind: 'database-shard', id })));
    expect(result.message).toMatch(/no answer|still hangs|timeout/);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  expect((await watch.until('healthy')).message).toBe('answers');
});

it('leaves no connection behind, whatever it met', async () => {
  watchAll();
  await watch.until('healthy');
  watch.stop();
  const count = async (): Promise<number> => {
    const [row] = await shards.sql(
      0,
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'test health'`,
    );
    return row!['n'] as number;
  };
  await until(async () => (await count()) === 0);
});

it('a shard that answers but takes no writes is unhealthy; the other one is not', async () => {
  watchAll();
  await watch.until('healthy');
  await shards.sql(1, 'ALTER DATABASE botctl_shard_1 SET default_transaction_read_only = on');
  try {
    await until(() => watch.results()[1]?.state === 'unhealthy', { timeoutMs: 30_000 });
    expect(watch.results()).toMatchObject([
      { state: 'healthy' },
      { state: 'unhealthy', message: 'answers, but is read-only: it takes no writes' },
    ]);
  } finally {
    await shards.sql(0, 'ALTER DATABASE botctl_shard_1 RESET ALL');
  }
  await watch.until('healthy');
});

it('a wrong address is a failure that names no password', async () => {
  watch = new Watch([check(0, () => 'postgres://user:s3cret-word@127.0.0.1:1/none')], { intervalMs: 2 * TIMEOUT_MS });
  const { message } = await watch.until('unhealthy');
  expect(message).toMatch(/ECONNREFUSED/);
  expect(message).not.toContain('s3cret');
});
