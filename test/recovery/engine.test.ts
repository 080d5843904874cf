import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Incident, IncidentDesk } from '../../src/incidents';
import {
  History,
  RecoveryEngine,
  RecoveryRefused,
  type RecoveryActions,
  type RecoverySettings,
} from '../../src/recovery';

const START = 1_800_000_000_000;

function incident(change: Partial<Incident> = {}): Incident {
  return {
    id: 'i1',
    type: 'memory-pressure',
    rule: 'memory-pressure',
    strategy: 'memory-pressure',
    scope: 'cluster:1',
    affected: ['cluster:1'],
    severity: 'warning',
    state: 'open',
    holds: true,
    text: 'grows',
    openedAt: START,
    updatedAt: START,
    heldAt: START,
    mitigatedAt: null,
    resolvedAt: null,
    acknowledged: null,
    silencedUntil: null,
    parent: null,
    reopened: 0,
    timeline: [],
    timelineDropped: 0,
    evidence: [],
    ...change,
  };
}

/** The engine between a desk, a clock and hands that the test holds. */
class Scene {
  readonly dir = mkdtempSync(join(tmpdir(), 'botctl-recovery-'));
  now = START;
  open: Incident[] = [];
  outage = false;
  readonly done: string[] = [];
  readonly notes: string[] = [];
  readonly announced: string[] = [];
  readonly givenUp: string[] = [];
  ok = true;

  make(settings: Partial<RecoverySettings> = {}): RecoveryEngine {
    const act =
      (name: string) =>
      (...args: unknown[]): Promise<{ ok: boolean; text: string }> => {
        this.done.push([name, ...args.map((arg) => JSON.stringify(arg))].join(' '));
        return Promise.resolve({ ok: this.ok, text: 'done' });
      };
    const names = ['reconnectShard', 'replaceCluster', 'remedy', 'reviveServer', 'addConnections', 'slowRest'] as const;
    const actions = Object.fromEntries([...names, 'saveIdentifies', 'prune'].map((name) => [name, act(name)]));
    const desk: IncidentDesk = {
      signal: () => undefined,
      openIncidents: () => this.open,
      note: (id, { text }) => this.notes.push(`${id} ${text}`),
      onEvent: () => () => undefined,
      announce: ({ title, text, severity }) => this.announced.push(`${severity}: ${title}: ${text}`),
    };
    return new RecoveryEngine({
      desk,
      actions: actions as unknown as RecoveryActions,
      fleet: () => ({
        clusters: [0, 1, 2, 3].map((id) => ({ id, state: 'ready', shards: [{ id, ready: true }], waiting: 0 })),
      }),
      history: new History(
        join(this.dir, 'recovery.json'),
        () => this.now,
        (error) => {
          throw error;
        },
      ),
      settings: { mode: 'on', maxPerHour: 30, maxShards: 0.25, ...settings },
      overrides: {},
      isOutage: () => this.outage,
      busy: () => ({ shard: null, cluster: null }),
      now: () => this.now,
      onStep: () => undefined,
      onGivenUp: ({ id }, why) => this.givenUp.push(`${id}: ${why}`),
    });
  }

  /** Rounds, each a while after the last, ms. */
  async rounds(engine: RecoveryEngine, count: number, everyMs: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      engine.round();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      this.now += everyMs;
    }
  }
}

let scene: Scene;
beforeEach(() => (scene = new Scene()));
afterEach(() => rmSync(scene.dir, { recursive: true, force: true }));

it('takes one step after the other while the condition holds, and writes each of them down', async () => {
  scene.open = [incident()];
  await scene.rounds(scene.make(), 6, 21_000);
  expect(scene.done).toEqual([
    'remedy {"kind":"drop-caches"} [1]',
    'remedy {"kind":"collect-garbage"} [1]',
    'replaceCluster 1',
  ]);
  expect(scene.notes.filter((note) => note.includes('has not helped'))).toHaveLength(2);
});

it('tells once that it does nothing more: nothing has helped, or the budget of the hour is used up', async () => {
  scene.open = [incident()];
  await scene.rounds(scene.make(), 8, 61_000);
  expect(scene.givenUp).toEqual(['i1: nothing has helped; it needs a person']);
  expect(scene.announced).toEqual([
    'warning: recovery does nothing more about memory-pressure (cluster:1): nothing has helped; it needs a person',
  ]);

  const other = incident({ id: 'i2', scope: 'cluster:2', affected: ['cluster:2'] });
  scene.open = [other];
  const engine = scene.make({ maxPerHour: 3 });
  await scene.rounds(engine, 5, 1_000);
  expect(scene.givenUp.slice(1)).toEqual(['i2: 3 actions in this hour are enough (recovery.maxPerHour)']);
  // The same again, later, is news.
  scene.open = [];
  await scene.rounds(engine, 1, 1_000);
  scene.open = [{ ...other, id: 'i3' }];
  await scene.rounds(engine, 2, 1_000);
  expect(scene.givenUp.at(-1)).toBe('i3: 3 actions in this hour are enough (recovery.maxPerHour)');
  expect(scene.announced).toHaveLength(3);
});

it('stops when the condition clears, and says what has helped', async () => {
  scene.open = [incident()];
  const engine = scene.make();
  await scene.rounds(engine, 2, 1_000);
  scene.open = [];
  await scene.rounds(engine, 3, 30_000);
  expect(scene.done).toHaveLength(1);
  expect(scene.notes.at(-1)).toBe('i1 drop-caches for cluster:1 has helped: the incident is over');
});

it('does not begin anew when the supervisor is started again: steps and budgets are remembered', async () => {
  scene.open = [incident()];
  await scene.rounds(scene.make(), 2, 1_000);
  await scene.rounds(scene.make(), 2, 1_000);
  expect(scene.done).toEqual(['remedy {"kind":"drop-caches"} [1]']);
  scene.now += 20_000;
  await scene.rounds(scene.make(), 2, 1_000);
  expect(scene.done.at(-1)).toBe('remedy {"kind":"collect-garbage"} [1]');
  // Killed in the middle of a step: it counts as taken.
  const file = join(scene.dir, 'recovery.json');
  expect(readFileSync(file, 'utf8')).toContain('collect-garbage');
});

it('works on many scopes one after the other, within the limit of shards at once', async () => {
  scene.open = [0, 1, 2, 3].map((id) =>
    incident({ id: `i${id}`, scope: `cluster:${id}`, affected: [`cluster:${id}`] }),
  );
  await scene.rounds(scene.make(), 4, 21_000);
  expect(scene.done.filter((done) => done.startsWith('remedy'))).toHaveLength(8);
  // The others wait until it is known whether it has helped.
  expect(scene.done.filter((done) => done.startsWith('replaceCluster'))).toEqual(['replaceCluster 0']);
});

it('dry run: says it once, does nothing', async () => {
  scene.open = [incident()];
  await scene.rounds(scene.make({ mode: 'dry-run' }), 20, 30_000);
  expect(scene.done).toEqual([]);
  expect(scene.notes.filter((note) => note.includes('would'))).toHaveLength(1);
});

describe('by hand', () => {
  it('goes on until a step has worked', async () => {
    const said: string[] = [];
    const helped = await scene
      .make()
      .recover({ type: 'memory-pressure', scope: 'cluster:1', dryRun: false }, (text) => {
        said.push(text);
      });
    expect(helped).toBe(true);
    expect(scene.done).toEqual(['remedy {"kind":"drop-caches"} [1]']);
    expect(said.at(-1)).toBe('drop-caches (1 of 3) for cluster:1: done');
  });

  it('says so when nothing works', async () => {
    scene.ok = false;
    const helped = await scene
      .make()
      .recover({ type: 'memory-pressure', scope: 'cluster:1', dryRun: false }, () => undefined);
    expect(helped).toBe(false);
    expect(scene.done).toHaveLength(3);
  });

  it('asks which, when there are several', async () => {
    scene.open = [incident(), incident({ id: 'i2', scope: 'cluster:2', affected: ['cluster:2'] })];
    const order = scene.make().recover({ type: 'memory-pressure', dryRun: false }, () => undefined);
    await expect(order).rejects.toThrow(RecoveryRefused);
  });

  it('does nothing that needs Discord while Discord is out', async () => {
    scene.outage = true;
    const order = scene.make().recover({ type: 'shard-stuck', scope: 'shard:1', dryRun: false }, () => undefined);
    await expect(order).rejects.toThrow(/Discord itself is out/);
    expect(scene.done).toEqual([]);
  });
});
