import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeployEvent } from '../../src/deploy';
import { RolloutRecord } from '../../src/deploy/rollout/record';
import { Rollout, type Fleet } from '../../src/deploy/rollout/rollout';
import { newRollout, type RolloutSettings, type RolloutState } from '../../src/deploy/rollout/state';
import type { ClusterTotals } from '../../src/deploy/rollout/window';
import type { ClusterState } from '../../src/sharding/cluster/observed-cluster';
import { systemClock } from '../../src/clock';
import type { ReplaceOutcome } from '../../src/sharding/handoff/replace';
import { until } from '../support/until';

const QUIET: ClusterTotals = {
  requests: 0,
  failures: 0,
  unhandledRejections: 0,
  restCalls: 0,
  restFailures: 0,
  latency: new Map(),
  memoryBytes: null,
  loopDelayP99Ms: null,
};

const GOOD: ReplaceOutcome = {
  how: 'handoff',
  reason: null,
  ready: true,
  identifies: 0,
  gapMs: 40,
  caughtUpMs: 70,
  tookMs: 900,
  dropped: null,
};

/** Clusters that do as they are told; what they were told is kept. */
class FakeFleet implements Fleet {
  readonly moves: string[] = [];
  readonly readyTimeouts = new Set<number>();
  readonly states = new Map<number, ClusterState>();
  outcome: (id: number, to: 'new' | 'old') => ReplaceOutcome = () => GOOD;
  onReplace: (id: number, to: 'new' | 'old', signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  totals = (): ClusterTotals => QUIET;
  unhealthy = (): string | null => null;

  cluster(id: number): { id: number; state: ClusterState; message: string | null } {
    return { id, state: this.states.get(id) ?? 'ready', message: null };
  }

  async replace(
    id: number,
    to: 'new' | 'old',
    { signal, readyTimeoutMs }: { signal: AbortSignal; readyTimeoutMs: number },
  ): Promise<ReplaceOutcome> {
    this.moves.push(`${id} ${to}`);
    this.readyTimeouts.add(readyTimeoutMs);
    await this.onReplace(id, to, signal);
    return this.outcome(id, to);
  }
}

describe('a rollout', () => {
  let dir: string;
  let fleet: FakeFleet;
  let record: RolloutRecord;
  let events: DeployEvent[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-rollout-'));
    record = new RolloutRecord(dir);
    fleet = new FakeFleet();
    events = [];
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const make = (settings: Partial<RolloutSettings> = {}, change: Partial<RolloutState> = {}): Rollout => {
    const state = newRollout({
      id: 'r',
      kind: 'deploy',
      from: 'a',
      to: 'b',
      settings: { batch: 2, pauseMs: 0, stabilityMs: 0, readyTimeoutMs: 60_000, rollBack: true, ...settings },
      batches: [[0], [1, 2], [3]],
      clusters: [0, 1, 2, 3].map((id) => ({ id, release: 'a' })),
      now: 0,
    });
    return new Rollout({
      state: { ...state, ...change },
      fleet,
      record,
      limits: { errorRate: 0.05, latencyMs: 500, memoryBytes: 1e8 },
      atOnce: 8,
      baseline: null,
      clock: systemClock,
      emit: (event) => events.push(event),
      say: () => undefined,
    });
  };
  const steps = ({ clusters }: RolloutState): string[] => clusters.map(({ step }) => step);

  it('moves the canary, then batch after batch, and is then history', async () => {
    const end = await make().run();
    expect(end).toMatchObject({ phase: 'done', reason: null });
    expect(fleet.moves).toEqual(['0 new', '1 new', '2 new', '3 new']);
    expect([...fleet.readyTimeouts]).toEqual([60_000]); // also where it is a restart
    expect(events.map(({ type }) => type).filter((type) => type !== 'deploy.cluster')).toEqual([
      'deploy.stable',
      'deploy.stable',
      'deploy.stable',
      'deploy.ended',
    ]);
    expect(record.read()).toBeNull();
    expect(record.history()).toEqual([end]);
  });

  it('ends at a canary that is kept: nothing was moved, nothing goes back', async () => {
    fleet.outcome = () => ({ ...GOOD, how: 'kept', reason: 'the successor has ended' });
    const end = await make().run();
    expect(end).toMatchObject({
      phase: 'rolled-back',
      reason: 'cluster 0 was not taken over: the successor has ended',
    });
    expect(fleet.moves).toEqual(['0 new']);
    expect(steps(end)).toEqual(['waiting', 'waiting', 'waiting', 'waiting']);
  });

  it('brings back a cluster that does not get ready, and the others of its batch', async () => {
    fleet.outcome = (id, to) => ({ ...GOOD, ready: !(id === 1 && to === 'new') });
    const end = await make().run();
    expect(end.reason).toMatch(/^cluster 1 did not get ready with the new release/);
    expect([...fleet.moves.slice(3)].sort()).toEqual(['0 old', '1 old', '2 old']);
    expect(steps(end)).toEqual(['returned', 'returned', 'returned', 'waiting']);
  });

  it('a cluster that dies while the rest of its batch is under way: those not cut over yet give up', async () => {
    const rollout = make();
    let given = false;
    fleet.onReplace = (id, to, signal) => {
      if (id !== 2 || to === 'old') return Promise.resolve();
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          given = true;
          resolve();
        });
        rollout.note({ type: 'cluster.exited', cluster: 0, pid: 1, reason: 'exit code 7', expected: false });
      });
    };
    fleet.outcome = (id) => (id === 2 ? { ...GOOD, how: 'kept', reason: 'given up' } : GOOD);
    const end = await rollout.run();
    expect(given).toBe(true);
    expect(end).toMatchObject({
      phase: 'rolled-back',
      reason: 'cluster 0 died with the new release: exit code 7',
    });
    expect(steps(end)).toEqual(['returned', 'returned', 'waiting', 'waiting']);
  });

  it.each<[ClusterState, RegExp]>([
    ['crash-loop', /^cluster 0 is crash-loop with the new release/],
    ['fatal', /^cluster 0 is fatal with the new release/],
  ])('a new cluster that is %s ends it at once', async (state, reason) => {
    fleet.outcome = (id, to) => {
      fleet.states.set(id, to === 'new' ? state : 'ready');
      return GOOD;
    };
    expect((await make({ stabilityMs: 60_000 }).run()).reason).toMatch(reason);
  });

  it('an unhealthy new cluster ends it', async () => {
    fleet.unhealthy = () => 'event-loop: late';
    const end = await make({ stabilityMs: 60_000 }).run();
    expect(end.reason).toBe('cluster 0 is unhealthy with the new release: event-loop: late');
  });

  it('what is worse than the old release at the end of the watch is not let through', async () => {
    let requests = 0;
    fleet.totals = ((id: number) => {
      requests += 20;
      return { ...QUIET, requests, failures: id === 0 ? requests / 2 : 0 };
    }) as () => ClusterTotals;
    const end = await make({ stabilityMs: 600 }).run();
    expect(end.reason).toMatch(/^answers fail: 50\.0 % of \d+ with the new release, 0\.0 % with the old one$/);
    expect(steps(end)).toEqual(['returned', 'waiting', 'waiting', 'waiting']);
  });

  it('without rollback it halts and leaves things as they are', async () => {
    fleet.outcome = () => ({ ...GOOD, ready: false });
    const end = await make({ rollBack: false }).run();
    expect(end).toMatchObject({ phase: 'halted' });
    expect(fleet.moves).toEqual(['0 new']);
  });

  it('failed: the old release does not come up either', async () => {
    fleet.outcome = (id) => {
      fleet.states.set(id, 'crash-loop');
      return { ...GOOD, how: 'restart', ready: false };
    };
    const end = await make().run();
    expect(end).toMatchObject({ phase: 'failed' });
    expect(end.reason).toMatch(/; cluster 0 is crash-loop on the old release, too$/);
    expect(fleet.moves).toEqual(['0 new', '0 old', '0 old', '0 old']);
  });

  it('paused it holds until it is resumed; aborted it goes back', async () => {
    const rollout = make({ stabilityMs: 60_000 });
    rollout.pause();
    const ending = rollout.run();
    await until(() => events.some(({ type }) => type === 'deploy.paused'));
    expect(fleet.moves).toEqual([]);
    rollout.resume();
    await until(() => fleet.moves.length > 0);
    rollout.abort();
    expect(await ending).toMatchObject({ phase: 'rolled-back', byOperator: true, reason: 'an operator ended it' });
  });

  it('is on disk before a cluster is touched, and goes on from there', async () => {
    const rollout = make();
    fleet.onReplace = (id) => {
      const { clusters } = JSON.parse(readFileSync(join(dir, 'rollout.json'), 'utf8')) as RolloutState;
      expect(clusters[id]?.step).toBe('replacing');
      if (id === 1) rollout.suspend();
      return Promise.resolve();
    };
    const suspended = await rollout.run();
    expect(suspended.phase).toBe('running');
    const saved = record.read();
    expect(saved).not.toBeNull();
    fleet.moves.length = 0;
    fleet.onReplace = () => Promise.resolve();
    const recoveredSteps = saved?.clusters.map((one) => ({
      ...one,
      step: one.step === 'replacing' ? 'waiting' : one.step,
    }));
    const again = make({}, { ...saved, clusters: recoveredSteps as RolloutState['clusters'] });
    expect(await again.run()).toMatchObject({ phase: 'done' });
    expect(fleet.moves).toEqual(['1 new', '2 new', '3 new']);
  });

  it('goes on in memory when the disk takes no more', async () => {
    const rollout = make();
    const write = jest.spyOn(record, 'write').mockImplementation(() => {
      throw new Error('ENOSPC');
    });
    expect(await rollout.run()).toMatchObject({ phase: 'done' });
    expect(write).toHaveBeenCalled();
  });

  it('a torn line of the history costs only itself', async () => {
    const end = await make().run();
    appendFileSync(join(dir, 'history.jsonl'), '{"id":');
    expect(record.history()).toEqual([end]);
  });
});
