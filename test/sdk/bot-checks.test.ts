import type { BotCheckSample } from '../../src/ipc/health-sample';
import { BotChecks, MAX_BOT_CHECKS, type BotHealthCheck } from '../../src/sdk/bot-checks';

let checks: BotChecks;

beforeEach(() => {
  jest.useFakeTimers();
  checks = new BotChecks();
});
afterEach(() => jest.useRealTimers());

/** As a bot's JavaScript may. */
function rejectWith(reason: unknown): Promise<never> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- that is the point
  return Promise.reject(reason);
}

const only = (): BotCheckSample => checks.sample()[0]!;

async function pass(ms: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(ms);
}

it.each<[string, BotHealthCheck, boolean, string | RegExp]>([
  ['answers nothing', () => undefined, true, 'says yes'],
  ['answers later', () => Promise.resolve(true), true, 'says yes'],
  ['has a word to say', () => ({ ok: true, message: '3 nodes' }), true, '3 nodes'],
  ['answers false', () => false, false, 'says no'],
  ['answers not ok', () => Promise.resolve({ ok: false, message: 'no node' }), false, 'no node'],
  [
    'throws',
    () => {
      throw new Error('thrown');
    },
    false,
    'thrown',
  ],
  ['rejects', () => Promise.reject(new Error('rejected')), false, 'rejected'],
  ['rejects with nothing', () => rejectWith(undefined), false, 'undefined'],
  [
    'answers what cannot be read',
    () => ({
      get ok() {
        throw new Error('trap');
      },
    }),
    false,
    'trap',
  ],
  ['rejects with what cannot be read', () => rejectWith(Object.create(null)), false, /cannot be read/],
  ['never calls back', () => new Promise(() => undefined), false, 'no answer within 5000 ms'],
])('a check that %s', async (_, check, ok, message) => {
  const seen: unknown[] = [];
  const listener = (reason: unknown): void => void seen.push(reason);
  process.on('unhandledRejection', listener);
  try {
    checks.register('mine', check);
    expect(only()).toMatchObject({ name: 'mine', ok: null, at: null });
    await pass(6_000);
    expect(only().ok).toBe(ok);
    expect(only().message).toMatch(message);
    expect(seen).toEqual([]);
  } finally {
    process.off('unhandledRejection', listener);
  }
});

it('a check that hangs is not begun again until it ends, and then recovers', async () => {
  let calls = 0;
  let end = (): void => undefined;
  let signal: AbortSignal | null = null;
  checks.register(
    'mine',
    (given) => {
      calls++;
      signal = given;
      return calls === 1 ? new Promise<void>((resolve) => (end = resolve)) : true;
    },
    { intervalMs: 10_000, timeoutMs: 1_000 },
  );
  await pass(1_000);
  expect(signal!.aborted).toBe(true);
  await pass(60_000);
  expect(calls).toBe(1);
  expect(only()).toMatchObject({ ok: false, message: 'still hangs, for 60 s' });
  end();
  await pass(10_000);
  expect(only()).toMatchObject({ ok: true, message: 'says yes' });
});

it('can be taken back, and its name be used again', () => {
  const takeBack = checks.register('mine', () => true);
  expect(() => checks.register('mine', () => true)).toThrow(RangeError);
  takeBack();
  expect(checks.sample()).toEqual([]);
  checks.register('mine', () => true);
  takeBack(); // a second time it is not the other's
  expect(checks.sample()).toHaveLength(1);
});

it('there are at most so many, with short messages', async () => {
  for (let i = 0; i < MAX_BOT_CHECKS; i++) {
    checks.register(`check-${i}`, () => ({ ok: true, message: 'x'.repeat(10_000) }));
  }
  expect(() => checks.register('one-more', () => true)).toThrow(/More than 20 health checks/);
  await pass(100);
  expect(JSON.stringify(checks.sample()).length).toBeLessThan(MAX_BOT_CHECKS * 450);
});

it.each<[string, () => unknown]>([
  ['a name with spaces', () => checks.register('my check', () => true)],
  ['no name', () => checks.register('', () => true)],
  ['no function', () => checks.register('mine', 7 as unknown as BotHealthCheck)],
  ['an interval of nothing', () => checks.register('mine', () => true, { intervalMs: 0 })],
  [
    'a time-out beyond the interval',
    () => checks.register('mine', () => true, { intervalMs: 2_000, timeoutMs: 3_000 }),
  ],
])('%s is refused at once', (_, register) => {
  expect(register).toThrow(/health check/);
});
