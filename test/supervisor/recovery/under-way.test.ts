import { underWay } from '../../../src/supervisor/recovery/under-way';

it.each([
  [null, null],
  [{ phase: 'running', to: 'r2' } as const, 'a rollout of r2 is under way'],
  [{ phase: 'rolling-back', to: 'r2' } as const, 'the rollout of r2 is being taken back'],
  [{ phase: 'done', to: 'r2' } as const, null],
  [{ phase: 'halted', to: 'r2' } as const, null],
])('rollout %j', (rollout, expected) => {
  expect(underWay(rollout, null, false)).toEqual({ shard: expected, cluster: expected });
});

it('maintenance keeps clusters from being replaced, not shards from being resumed', () => {
  expect(underWay(null, { text: 'vacuum' }, false)).toEqual({
    shard: null,
    cluster: 'maintenance is under way (vacuum)',
  });
});

it('lets nothing near the clusters while they are scaled', () => {
  const text = 'the clusters are being scaled';
  expect(underWay(null, { text: 'vacuum' }, true)).toEqual({ shard: text, cluster: text });
});
