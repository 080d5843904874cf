import { nextStep, planBatches, recovered } from '../../src/deploy/rollout/decide';
import {
  newRollout,
  releaseOf,
  withCluster,
  type ClusterStep,
  type RolloutState,
} from '../../src/deploy/rollout/state';

const SETTINGS = { batch: 2, pauseMs: 30_000, stabilityMs: 60_000, readyTimeoutMs: 120_000, rollBack: true };

function rollout(steps: ClusterStep[] = ['waiting', 'waiting', 'waiting', 'waiting']): RolloutState {
  const clusters = steps.map((_, id) => ({ id, release: 'a' }));
  const state = newRollout({
    id: 'r',
    kind: 'deploy',
    from: 'a',
    to: 'b',
    settings: SETTINGS,
    batches: [[0], [1, 2], [3]],
    clusters,
    now: 0,
  });
  return steps.reduce((at, step, id) => withCluster(at, id, { step }), state);
}

const DONE: ClusterStep[] = ['replaced', 'replaced', 'replaced', 'replaced'];

describe('what comes next in a rollout', () => {
  it.each<[string, Partial<RolloutState>, ClusterStep[] | undefined, object]>([
    ['begins with the canary', {}, undefined, { do: 'replace', clusters: [0] }],
    [
      'watches the canary for the full time',
      {},
      ['replaced', 'waiting', 'waiting', 'waiting'],
      { do: 'watch', ms: 60_000 },
    ],
    [
      'goes on when it was watched',
      { watched: true },
      ['replaced', 'waiting', 'waiting', 'waiting'],
      { do: 'next-batch' },
    ],
    [
      'takes a batch at a time',
      { at: 1 },
      ['replaced', 'waiting', 'waiting', 'waiting'],
      { do: 'replace', clusters: [1, 2] },
    ],
    [
      'takes what is left of a batch',
      { at: 1 },
      ['replaced', 'replaced', 'waiting', 'waiting'],
      { do: 'replace', clusters: [2] },
    ],
    ['pauses between batches', { at: 1 }, ['replaced', 'replaced', 'replaced', 'waiting'], { do: 'watch', ms: 30_000 }],
    ['watches all at the end', { at: 2 }, DONE, { do: 'watch', ms: 60_000 }],
    ['ends', { at: 3 }, DONE, { do: 'end', end: 'done' }],
    ['holds when paused', { at: 1, paused: true }, ['replaced', 'waiting', 'waiting', 'waiting'], { do: 'hold' }],
    [
      'watches also when paused',
      { paused: true },
      ['replaced', 'waiting', 'waiting', 'waiting'],
      { do: 'watch', ms: 60_000 },
    ],
    [
      'brings back what was moved, a batch at a time',
      { phase: 'rolling-back', at: 2 },
      ['replaced', 'replaced', 'replaced', 'waiting'],
      { do: 'return', clusters: [0, 1] },
    ],
    [
      'leaves what was never moved',
      { phase: 'rolling-back', at: 1 },
      ['returned', 'waiting', 'waiting', 'waiting'],
      { do: 'end', end: 'rolled-back' },
    ],
  ])('%s', (_, change, steps, expected) => {
    expect(nextStep({ ...rollout(steps), ...change }, 8)).toEqual(expected);
  });

  it('takes no more at once than the machine can, there and back', () => {
    const steps: ClusterStep[] = ['replaced', 'waiting', 'waiting', 'waiting'];
    expect(nextStep({ ...rollout(steps), at: 1 }, 1)).toEqual({ do: 'replace', clusters: [1] });
    expect(nextStep({ ...rollout(DONE), phase: 'rolling-back' }, 1)).toEqual({ do: 'return', clusters: [0] });
  });
});

describe('after a restart of the supervisor', () => {
  it.each<[ClusterStep, boolean, ClusterStep]>([
    ['replacing', true, 'replaced'],
    ['replacing', false, 'waiting'],
    ['returning', true, 'replaced'],
    ['returning', false, 'returned'],
    ['replaced', false, 'replaced'],
    ['waiting', false, 'waiting'],
  ])('a cluster that was %s and runs the new release: %s, is %s', (step, runsNew, expected) => {
    const state = recovered({ ...rollout([step]), watched: true }, () => runsNew);
    expect(state.clusters[0]?.step).toBe(expected);
    expect(state.watched).toBe(false);
  });

  it.each<[ClusterStep, string]>([
    ['waiting', 'a'],
    ['replacing', 'a'],
    ['replaced', 'b'],
    ['returning', 'b'],
    ['returned', 'a'],
  ])('a dead cluster that was %s is started on %s', (step, release) => {
    expect(releaseOf(rollout([step]), 0)).toBe(release);
  });

  it('a cluster without a part in the rollout is not concerned', () => {
    expect(releaseOf(rollout(), 9)).toBeNull();
  });
});

describe('the order of clusters', () => {
  const clusters = [30, 10, 20, 40, 10].map((guilds, id) => ({ id, guilds }));
  it.each([
    ['smallest' as const, 2, [[1], [0, 2], [3, 4]]],
    ['largest' as const, 3, [[3], [0, 1, 2], [4]]],
    [2, 10, [[2], [0, 1, 3, 4]]],
    [99, 4, [[1], [0, 2, 3, 4]]],
  ])('canary %s, batches of %d', (canary, batch, expected) => {
    expect(planBatches(clusters, { canary, batch })).toEqual(expected);
  });
  it('of none are none', () => {
    expect(planBatches([], { canary: 'smallest', batch: 2 })).toEqual([]);
  });
});
