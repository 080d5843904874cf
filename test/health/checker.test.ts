import { HealthChecker, type CheckPlan } from '../../src/health/checker';
import type { HealthCheck, HealthScope, Reading } from '../../src/health/check';
import type { HealthEvent } from '../../src/health/events';
import { FakeClock } from '../support/fake-clock';

const INTERVAL = 30_000;
const TIMEOUT = 10_000;
const BOT: HealthScope = { kind: 'bot' };

let clock: FakeClock;
let events: HealthEvent[];
let checker: HealthChecker;

beforeEach(() => {
  clock = new FakeClock();
  events = [];
});
afterEach(() => checker.stop());

/** A check that does what the test says at the time. */
class Puppet implements HealthCheck {
  readonly scope = BOT;
  looks = 0;
  signal: AbortSignal | null = null;

  constructor(
    readonly name: string,
    public act: (signal: AbortSignal) => Reading[] | Promise<Reading[]> = () => [good()],
  ) {}

  look(signal: AbortSignal): Reading[] | Promise<Reading[]> {
    this.looks++;
    this.signal = signal;
    return this.act(signal);
  }
}

function good(scope: HealthScope = BOT): Reading {
  return { scope, ok: true, message: 'fine' };
}

function bad(message = 'broken', scope: HealthScope = BOT): Reading {
  return { scope, ok: false, message };
}

const never = (): Promise<Reading[]> => new Promise(() => undefined);

function start(checks: readonly HealthCheck[], change: Partial<CheckPlan> = {}): void {
  checker = new HealthChecker({
    plans: checks.map((check) => ({ check, timeoutMs: TIMEOUT, failures: 3, successes: 2, ...change })),
    clock,
    intervalMs: INTERVAL,
    emit: (event) => events.push(event),
    redact: (text) => text.replaceAll('s3cret', '***'),
  });
  checker.start();
}

function stateOf(name: string): string {
  return checker.view().results.find(({ check }) => check === name)?.state ?? 'absent';
}

const rounds = (count: number): Promise<void> => clock.advance(count * INTERVAL);

it('is unknown before the first result, then healthy, unhealthy after three failures, healthy after two successes', async () => {
  const check = new Puppet('a');
  start([check]);
  expect(checker.view()).toMatchObject({ state: 'unknown', results: [] });
  await clock.advance(0);
  expect(checker.view()).toMatchObject({ state: 'healthy', roundAt: clock.now() });
  check.act = () => [bad()];
  await rounds(2);
  expect(checker.view().state).toBe('healthy');
  await rounds(1);
  expect(checker.view()).toMatchObject({ state: 'unhealthy', results: [{ failures: 3, message: 'broken' }] });
  check.act = () => [good()];
  await rounds(1);
  expect(checker.view().state).toBe('unhealthy');
  await rounds(1);
  expect(checker.view().state).toBe('healthy');
  expect(events.map(({ check: name, to, results }) => [name, to, results.length])).toEqual([
    ['a', 'healthy', 1],
    ['a', 'unhealthy', 1],
    ['a', 'healthy', 1],
  ]);
});

it('a check that hangs delays neither the others nor the next round, is not begun twice, and counts as failing', async () => {
  const hanging = new Puppet('hanging');
  const others = Array.from({ length: 20 }, (_, index) => new Puppet(`other-${index}`));
  start([others[0]!, hanging, ...others.slice(1)]);
  await clock.advance(0);
  hanging.act = never; // deaf to its signal, too
  await rounds(1);
  expect(others.map(({ looks }) => looks)).toEqual(others.map(() => 2));
  expect(hanging.signal!.aborted).toBe(false);
  await clock.advance(TIMEOUT);
  expect(hanging.signal!.aborted).toBe(true);
  expect(checker.view().results.find(({ check }) => check === 'hanging')).toMatchObject({
    ok: false,
    answered: false,
    failures: 1,
    message: 'no answer within 10s',
    tookMs: TIMEOUT,
  });
  await rounds(1);
  expect(stateOf('hanging')).toBe('healthy');
  await rounds(1);
  expect(stateOf('hanging')).toBe('unhealthy');
  await rounds(5);
  expect(hanging.looks).toBe(2);
  expect(others.map(({ looks }) => looks)).toEqual(others.map(() => 9));
  expect(others.every(({ name }) => stateOf(name) === 'healthy')).toBe(true);
  expect(checker.view().results.find(({ check }) => check === 'hanging')?.message).toMatch(/^still hangs, for \d/);
});

it('what comes too late is not believed, but lets the check begin anew', async () => {
  let answer: (readings: Reading[]) => void = () => undefined;
  const check = new Puppet('late', () => new Promise((resolve) => (answer = resolve)));
  start([check], { failures: 1 });
  await clock.advance(TIMEOUT);
  expect(stateOf('late')).toBe('unhealthy');
  answer([good()]);
  await clock.advance(0);
  expect(checker.view().results).toMatchObject([{ ok: false, message: 'no answer within 10s' }]);
  check.act = () => [good()];
  await rounds(2);
  expect(stateOf('late')).toBe('healthy');
});

it('each check has its own time-out', async () => {
  const [quick, patient] = [new Puppet('quick', never), new Puppet('patient', never)];
  const limits = { failures: 1, successes: 1 };
  checker = new HealthChecker({
    plans: [
      { check: quick, timeoutMs: 1_000, ...limits },
      { check: patient, timeoutMs: 20_000, ...limits },
    ],
    clock,
    intervalMs: INTERVAL,
    emit: () => undefined,
    redact: (text) => text,
  });
  checker.start();
  await clock.advance(1_000);
  expect([stateOf('quick'), stateOf('patient')]).toEqual(['unhealthy', 'absent']);
  await clock.advance(19_000);
  expect(stateOf('patient')).toBe('unhealthy');
});

it.each<[string, () => Reading[] | Promise<Reading[]>, string]>([
  [
    'throws',
    () => {
      throw new Error('thrown');
    },
    'thrown',
  ],
  ['rejects', () => Promise.reject(new Error('rejected')), 'rejected'],
  ['rejects with a cause', () => Promise.reject(new Error('fetch failed', { cause: new Error('refused') })), 'refused'],
  ['rejects with many', () => Promise.reject(new AggregateError([new Error('a'), new Error('b')])), 'a; b'],
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- somebody's code may
  ['rejects with no error', () => Promise.reject('a text'), 'a text'],
  ['prints a secret', () => [bad('password s3cret\nrefused')], 'password *** refused'],
  ['says a lot', () => [bad('x'.repeat(1_000))], `${'x'.repeat(300)}…`],
])('a check that %s is a failure with its reason', async (_, act, message) => {
  start([new Puppet('a', act), new Puppet('b')]);
  await clock.advance(0);
  expect(checker.view().results).toMatchObject([
    { check: 'a', scope: BOT, ok: false, message },
    { check: 'b', ok: true },
  ]);
});

it('flapping below the threshold changes nothing and is no event', async () => {
  const check = new Puppet('a');
  start([check]);
  await clock.advance(0);
  events = [];
  for (let turn = 0; turn < 50; turn++) {
    check.act = () => [turn % 3 === 2 ? good() : bad()];
    await rounds(1);
    expect(checker.view().state).toBe('healthy');
  }
  expect(events).toEqual([]);
});

it('results stay tied to their names and scopes, in whatever order they come', async () => {
  const release: (() => void)[] = [];
  const slow = (name: string): Puppet =>
    new Puppet(
      name,
      () => new Promise((resolve) => release.push(() => resolve([{ ...good(), message: `I am ${name}` }]))),
    );
  start(['a', 'b', 'c'].map(slow));
  await clock.advance(0);
  for (const go of release.reverse()) go();
  await clock.advance(0);
  expect(checker.view().results.map(({ check, message }) => [check, message])).toEqual(
    ['a', 'b', 'c'].map((name) => [name, `I am ${name}`]),
  );
});

describe('a check of many scopes', () => {
  const shard = (id: number): HealthScope => ({ kind: 'shard', id });

  it('has a state for each, and one event for all that change together', async () => {
    const check = new Puppet('shards', () => [0, 1, 2, 3].map((id) => good(shard(id))));
    start([check]);
    await clock.advance(0);
    check.act = () => [bad('deaf', shard(0)), good(shard(1)), bad('deaf', shard(2)), good(shard(3))];
    await rounds(3);
    expect(checker.view().results.map(({ state }) => state)).toEqual(['unhealthy', 'healthy', 'unhealthy', 'healthy']);
    expect(events.map(({ to, results }) => [to, results.map(({ scope }) => scope)])).toEqual([
      ['healthy', [shard(0), shard(1), shard(2), shard(3)]],
      ['unhealthy', [shard(0), shard(2)]],
    ]);
  });

  it('fails for all of them when it fails itself', async () => {
    const check = new Puppet('shards', () => [good(shard(0)), good(shard(1))]);
    start([check]);
    await clock.advance(0);
    check.act = never;
    await rounds(4);
    expect(checker.view().results.map(({ state }) => state)).toEqual(['unhealthy', 'unhealthy']);
  });

  it('forgets what is no longer there, and says so', async () => {
    const check = new Puppet('memory', () => [bad('full', { kind: 'cluster', id: 7 })]);
    start([check], { failures: 1 });
    await clock.advance(0);
    expect(checker.view().state).toBe('unhealthy');
    check.act = () => [];
    await rounds(1);
    expect(checker.view()).toMatchObject({ state: 'healthy', results: [] });
    expect(events.at(-1)).toMatchObject({ to: 'unknown', results: [{ scope: { kind: 'cluster', id: 7 } }] });
  });

  it('keeps a standing while it cannot be told', async () => {
    const check = new Puppet('a', () => [bad()]);
    start([check], { failures: 2 });
    await clock.advance(0);
    check.act = () => [{ scope: BOT, ok: null, message: 'not known at the moment' }];
    await rounds(10);
    expect(stateOf('a')).toBe('unknown');
    check.act = () => [bad()];
    await rounds(1);
    expect(stateOf('a')).toBe('unhealthy');
  });
});

it('stopped, it aborts what is under way and looks no more', async () => {
  const check = new Puppet('a', never);
  start([check]);
  await clock.advance(0);
  checker.stop();
  expect(check.signal!.aborted).toBe(true);
  await rounds(5);
  expect(check.looks).toBe(1);
  expect(checker.view().results).toEqual([]);
  expect(events).toEqual([]);
});
