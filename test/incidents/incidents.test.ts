import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Incidents, type IncidentsOptions, type Look } from '../../src/incidents';
import type { LogConnection } from '../../src/incidents/log/postgres-log';
import type { Notice } from '../../src/incidents/notifiers/notice';
import { SendError, type Notifier } from '../../src/incidents/notifiers/notifier';
import type { Rule } from '../../src/incidents/rule';
import type { Incident, Scope } from '../../src/incidents/types';
import { FakeClock } from '../support/fake-clock';
import { until } from '../support/until';
import { aBot, aFinding } from './support/scene';

let dir: string;
let clock: FakeClock;
let holds: Scope[];
let complete: boolean;
let target: FakeTarget;
let postgres: FakePostgres;
let errors: unknown[];
const running: Incidents[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-incidents-'));
  clock = new FakeClock();
  holds = [];
  complete = true;
  target = new FakeTarget();
  postgres = new FakePostgres();
  errors = [];
});
afterEach(async () => {
  const stops = running.splice(0).map((one) => one.stop());
  await clock.advance(5_000);
  await Promise.all(stops);
  rmSync(dir, { recursive: true, force: true });
});

/** Takes messages, or does not. */
class FakeTarget implements Notifier {
  readonly name = 'fake';
  most = 10;
  readonly messages: string[][] = [];
  /** What happens to the next messages; absent: they are taken. */
  readonly failures: SendError[] = [];
  hangs = false;

  async send(notices: readonly Notice[]): Promise<void> {
    if (this.hangs) return new Promise(() => undefined);
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    this.messages.push(notices.map(({ kind, incident, title }) => `${kind} ${incident?.scope ?? title}`));
  }

  get told(): string[] {
    return this.messages.flat();
  }
}

/** Keeps the latest state of each incident, while it is up. */
class FakePostgres {
  isUp = true;
  readonly rows = new Map<string, Incident>();

  connect(): Promise<LogConnection> {
    if (!this.isUp) return Promise.reject(new Error('ECONNREFUSED'));
    return Promise.resolve({
      query: (text, [values]) => {
        if (text.includes('INSERT')) {
          for (const incident of JSON.parse(String(values)) as Incident[]) this.rows.set(incident.id, incident);
        }
        return Promise.resolve({ rows: [...this.rows.values()].map((body) => ({ body })) });
      },
      end: () => Promise.resolve(),
    });
  }
}

async function start(over: Partial<IncidentsOptions> = {}): Promise<Incidents> {
  const rule: Rule = {
    type: 'error-rate',
    forMs: 0,
    clearMs: 60_000,
    windowMs: 0,
    find: ({ signals }) => [
      ...holds.map((scope) => aFinding(scope)),
      ...signals.map(({ scope, text }) => aFinding(scope, { text, sure: true })),
    ],
  };
  const none = { figure: () => null, figures: () => [], latest: () => [] };
  const incidents = new Incidents({
    bot: 'my-bot',
    clock,
    rules: [rule],
    intervalMs: 10_000,
    reopenMs: 600_000,
    look: (): Look => ({ metrics: none, bot: aBot(), checks: [], complete }),
    dir,
    connect: () => postgres.connect(),
    targets: [{ notifier: target, least: 'warning' }],
    notify: { groupMs: 2_000, perMinute: 20, timeoutMs: 10_000 },
    redact: (text) => text.replaceAll('s3cret', '[redacted]'),
    onOutcome: () => undefined,
    onError: (error) => errors.push(error),
    ...over,
  });
  running.push(incidents);
  await incidents.start();
  return incidents;
}

/** As a kill would: whatever is not on disk is lost. */
async function killed(incidents: Incidents): Promise<void> {
  await until(() => lines().length > 0);
  await new Promise((resolve) => setImmediate(resolve));
  running.splice(running.indexOf(incidents), 1);
  clock = new FakeClock();
}

function lines(): string[] {
  try {
    return readFileSync(join(dir, 'incidents.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

const onDisk = (text: string) => until(() => lines().some((line) => line.includes(text)));

describe('telling', () => {
  it('what opens, escalates and ends, each once', async () => {
    const incidents = await start();
    holds = ['cluster:1'];
    await clock.advance(15_000);
    expect(target.told).toEqual(['opened cluster:1']);
    holds = [];
    await clock.advance(120_000);
    expect(target.told).toEqual(['opened cluster:1', 'resolved cluster:1']);
    expect(incidents.openIncidents()).toEqual([]);
  });

  it('what comes together goes into one message', async () => {
    await start();
    holds = ['cluster:1', 'cluster:2'];
    await clock.advance(15_000);
    expect(target.messages).toEqual([['opened cluster:1', 'opened cluster:2']]);
  });

  it('a target that is dead for an hour delays nothing, and then hears what is still so', async () => {
    target.failures.push(...Array.from({ length: 50 }, () => new SendError('ECONNREFUSED')));
    const incidents = await start();
    holds = ['cluster:1'];
    await clock.advance(11_000);
    expect(incidents.openIncidents()).toHaveLength(1);
    await clock.advance(600_000);
    expect(incidents.targets()[0]).toMatchObject({ state: 'failing', lastError: 'ECONNREFUSED' });
    target.failures.length = 0;
    await clock.advance(600_000);
    expect(target.told).toEqual(['opened cluster:1']);
    expect(incidents.targets()[0]).toMatchObject({ state: 'ok', lastError: null });
  });

  it('one that hangs delays neither the detection nor the other targets', async () => {
    const hanging = new FakeTarget();
    hanging.hangs = true;
    const other = new FakeTarget();
    Object.assign(other, { name: 'other' });
    const incidents = await start({
      targets: [
        { notifier: hanging, least: 'info' },
        { notifier: other, least: 'info' },
      ],
    });
    holds = ['cluster:1'];
    await clock.advance(15_000);
    expect(incidents.openIncidents()).toHaveLength(1);
    expect(other.told).toEqual(['opened cluster:1']);
  });

  it('waits as long as it is asked to', async () => {
    target.failures.push(new SendError('HTTP 429', { retryAfterMs: 300_000 }));
    await start();
    holds = ['cluster:1'];
    await clock.advance(290_000);
    expect(target.told).toEqual([]);
    await clock.advance(30_000);
    expect(target.told).toEqual(['opened cluster:1']);
  });

  it('a refusal for good is not tried again', async () => {
    target.failures.push(new SendError('HTTP 404', { retry: false }));
    const incidents = await start();
    holds = ['cluster:1'];
    await clock.advance(600_000);
    expect(target.told).toEqual([]);
    expect(incidents.openIncidents()[0]!.timeline.at(-1)).toMatchObject({
      kind: 'notified',
      text: 'fake refused it: HTTP 404',
    });
  });

  it('not more messages in a minute than allowed; what is over by then is not told', async () => {
    target.most = 1;
    await start({ notify: { groupMs: 0, perMinute: 2, timeoutMs: 10_000 } });
    holds = ['cluster:1', 'host', 'redis', 'postgres', 'supervisor'];
    await clock.advance(40_000);
    expect(target.messages).toHaveLength(2);
    await clock.advance(180_000);
    expect(target.told).toHaveLength(5);
    expect(new Set(target.told).size).toBe(5);
  });

  it('what is less severe than the target asks for is not told', async () => {
    await start({ targets: [{ notifier: target, least: 'critical' }] });
    holds = ['cluster:1'];
    await clock.advance(60_000);
    expect(target.told).toEqual([]);
  });

  it('nothing while it is silenced; after the silence, if it is still so', async () => {
    const incidents = await start();
    incidents.silenceAll({ scope: 'cluster:1', forMs: 60_000, by: 'me' });
    holds = ['cluster:1', 'cluster:2'];
    await clock.advance(40_000);
    expect(target.told).toEqual(['opened cluster:2']);
    await clock.advance(40_000);
    expect(target.told).toEqual(['opened cluster:2', 'opened cluster:1']);
  });

  it('announcements, to whom they are severe enough, and tests at once', async () => {
    const incidents = await start();
    incidents.announce({ title: 'weekly report', text: 'all is well', severity: 'info' });
    incidents.announce({ title: 'rollout', text: 'halted', severity: 'warning' });
    await clock.advance(10_000);
    expect(target.told).toEqual(['announcement rollout']);
    expect(await incidents.testTargets(null)).toEqual([{ name: 'fake', error: null, tookMs: 0 }]);
    target.failures.push(new SendError('HTTP 500'));
    expect(await incidents.testTargets('fake')).toMatchObject([{ error: 'HTTP 500' }]);
  });
});

describe('a new supervisor', () => {
  it('goes on with what is open, and tells nobody twice', async () => {
    const first = await start();
    holds = ['cluster:1'];
    await clock.advance(15_000);
    await onDisk('"kind":"told"');
    const [before] = first.openIncidents();
    await killed(first);
    const second = await start();
    await clock.advance(60_000);
    expect(second.openIncidents()).toMatchObject([{ id: before!.id, openedAt: before!.openedAt, state: 'open' }]);
    expect(target.told).toEqual(['opened cluster:1']);
  });

  it('ends what has gone away meanwhile, at the time at which it saw that, and tells it once', async () => {
    const first = await start();
    holds = ['cluster:1'];
    await clock.advance(15_000);
    await onDisk('"kind":"told"');
    await killed(first);
    holds = [];
    complete = false;
    const second = await start();
    await clock.advance(30_000);
    expect(second.openIncidents()).toMatchObject([{ state: 'open' }]);
    complete = true;
    const from = clock.now();
    await clock.advance(120_000);
    const [incident] = second.known();
    expect(incident).toMatchObject({ state: 'resolved' });
    expect(incident!.resolvedAt! - from).toBeLessThanOrEqual(10_000);
    expect(target.told).toEqual(['opened cluster:1', 'resolved cluster:1']);
  });

  it('keeps silences, acknowledgements and lasting facts', async () => {
    const first = await start();
    first.signal({ type: 'backup-failed', scope: 'db:0', holds: true, text: 'no room' });
    await clock.advance(1_000);
    first.acknowledge(first.openIncidents()[0]!.id, 'me');
    first.silenceAll({ type: 'redis-down', forMs: 3_600_000, by: 'me', reason: 'move' });
    await onDisk('"kind":"silence"');
    await killed(first);
    const second = await start();
    await clock.advance(120_000);
    expect(second.openIncidents()).toMatchObject([{ scope: 'db:0', state: 'open', acknowledged: { by: 'me' } }]);
    expect(second.silences()).toMatchObject([{ type: 'redis-down', reason: 'move' }]);
    second.signal({ type: 'backup-failed', scope: 'db:0', holds: false, text: '' });
    await clock.advance(120_000);
    expect(second.openIncidents()).toEqual([]);
  });

  it('reads a log that was torn in the middle of a line', async () => {
    const first = await start();
    holds = ['cluster:1'];
    await clock.advance(15_000);
    await onDisk('"kind":"told"');
    await killed(first);
    appendFileSync(join(dir, 'incidents.jsonl'), '{"kind":"incident","incident":{"id":"x');
    const second = await start();
    expect(second.openIncidents()).toHaveLength(1);
    expect(errors).toEqual([]);
  });
});

describe('Postgres', () => {
  it('gets every incident; what it missed while it was down, it gets later', async () => {
    postgres.isUp = false;
    const incidents = await start();
    holds = ['cluster:1'];
    await clock.advance(15_000);
    expect(incidents.openIncidents()).toHaveLength(1);
    expect(incidents.unsaved).toBe(1);
    await until(() => errors.length > 0);
    postgres.isUp = true;
    await incidents.stop();
    expect([...postgres.rows.values()]).toMatchObject([{ scope: 'cluster:1' }]);
  });

  it('is not waited for, and not needed to look back', async () => {
    const incidents = await start({ connect: () => new Promise(() => undefined) });
    holds = ['cluster:1'];
    await clock.advance(15_000);
    expect(target.told).toEqual(['opened cluster:1']);
    expect(incidents.known()).toHaveLength(1);
  });
});

it('orders: by the end of an id, and what cannot be done is refused', async () => {
  const incidents = await start();
  holds = ['cluster:1'];
  await clock.advance(15_000);
  const [{ id } = { id: '' }] = incidents.openIncidents();
  expect(id).toMatch(/^\d{6}-[a-z0-9]{4}$/);
  expect(incidents.acknowledge(id.slice(-4), 'me').acknowledged).toMatchObject({ by: 'me' });
  expect(() => incidents.acknowledge('zzzz', 'me')).toThrow('there is no incident zzzz');
  incidents.resolve(id, 'me');
  expect(() => incidents.resolve(id, 'me')).toThrow('resolved already');
  await clock.advance(60_000);
  expect(incidents.openIncidents()).toEqual([]);
});

it('signals are looked at at once, without their secrets, and end by themselves when they say so', async () => {
  const incidents = await start();
  incidents.signal({
    type: 'error-rate',
    scope: 'redis',
    holds: true,
    text: 'password s3cret\n refused\0',
    forMs: 20_000,
  });
  await clock.advance(200);
  expect(incidents.openIncidents()).toMatchObject([{ text: 'password [redacted] refused' }]);
  await clock.advance(40_000);
  expect(incidents.openIncidents()).toMatchObject([{ holds: false }]);
});

it('the log is private, and stays small', async () => {
  const incidents = await start({ rules: [] });
  holds = [];
  for (let turn = 0; turn < 30; turn++) incidents.silenceAll({ type: 'redis-down', forMs: 1, by: 'me' });
  await onDisk('"kind":"silence"');
  expect(statSync(join(dir, 'incidents.jsonl')).mode & 0o777).toBe(0o600);
  await incidents.stop();
  await clock.advance(10_000);
  await start({ rules: [] });
  expect(lines().length).toBeLessThanOrEqual(30);
});
