import { readFileSync, readdirSync } from 'node:fs';
import { DataError } from '../../../src/data/data-error';
import { ShardPool } from '../../../src/data/pool/shard-pool';
import { until } from '../../support/until';
import { SETTINGS, Shards } from '../support/shards';

const shards = new Shards(1);
const changes: (string | null)[] = [];
let pool: ShardPool;

beforeAll(() => shards.start());
beforeEach(() => {
  changes.length = 0;
  pool = new ShardPool({
    ...SETTINGS,
    shard: 0,
    url: shards.urls[0] ?? '',
    share: { min: 0, max: 4 },
    applicationName: 'breaker',
    onCircuit: (_, reason) => changes.push(reason),
  });
});
afterEach(async () => {
  signal('SIGCONT');
  await pool.close();
});
afterAll(() => shards.end());

/** The postmaster and all its children, as a frozen machine would have them. */
function signal(name: NodeJS.Signals): void {
  const { pid } = shards.scene.server;
  const children = readdirSync('/proc').filter((entry) => {
    try {
      return (
        /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(pid)
      );
    } catch {
      return false; // ended meanwhile
    }
  });
  process.kill(pid, name);
  for (const child of children) {
    try {
      process.kill(Number(child), name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // ended meanwhile
    }
  }
}

const one = (): Promise<unknown> => pool.query(null, 'SELECT 1', []);
const refusal = (): Promise<unknown> =>
  one().then(
    () => null,
    (error: unknown) => error,
  );

it('a server that hangs is left alone after a probe has found so, and used again when it goes on', async () => {
  await one();
  signal('SIGSTOP');
  const waiting = one();
  waiting.catch(() => undefined);
  await until(() => pool.stats().circuit !== 'closed', { timeoutMs: 30_000 });
  const error = await refusal();
  expect(error).toBeInstanceOf(DataError);
  expect(error).toMatchObject({ code: 'UNAVAILABLE', shard: 0, outcomeUnknown: false });
  expect((error as Error).message).toMatch(/left alone until it answers again/);
  expect(pool.stats().refused).toBe(1);

  // What waits on the dead connections can be given up.
  await pool.recycle();
  await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE', outcomeUnknown: true });

  signal('SIGCONT');
  await until(() => pool.stats().circuit === 'closed', { timeoutMs: 30_000 });
  await one();
  expect(changes).toEqual([expect.any(String), null]);
}, 90_000);

it('a slow statement is no reason to doubt the server', async () => {
  await pool.query(null, 'SELECT pg_sleep(5)', []);
  expect(changes).toEqual([]);
  await one();
});

it('recycled connections are new ones, also those that were in use', async () => {
  const pid = async (): Promise<number> => {
    const { rows } = await pool.query(null, 'SELECT pg_backend_pid() AS pid', []);
    return (rows as { pid: number }[])[0]?.pid ?? 0;
  };
  const before = await pid();
  let giveBack = (): void => undefined;
  let lent = 0;
  const held = pool.withClient(async (client) => {
    lent =
      ((await pool.queryOn(client, null, 'SELECT pg_backend_pid() AS pid', [])).rows as { pid: number }[])[0]?.pid ?? 0;
    await new Promise<void>((resolve) => (giveBack = resolve));
  });
  await until(() => lent !== 0);
  expect(await pool.recycle()).toBeGreaterThanOrEqual(1);
  giveBack();
  await held;
  const after = await pid();
  expect([before, lent]).not.toContain(after);
  expect(changes).toEqual([]);
});

it('may grow beyond its share, and shrink again', () => {
  expect(pool.scale(2)).toBe(8);
  expect(pool.stats().max).toBe(8);
  expect(pool.scale(1)).toBe(4);
});
