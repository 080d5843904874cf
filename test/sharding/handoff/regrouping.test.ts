import { regroupings } from '../../../src/sharding/handoff/regrouping';
import { planEvenly, type ClusterPlan } from '../../../src/sharding/plan';

function clusters(...groups: number[][]): ClusterPlan[] {
  return groups.map((shardIds, id) => ({ id, shardIds }));
}

describe('regroupings', () => {
  it('has nothing to do when nothing changes, and leaves alone what stays', () => {
    expect(regroupings(clusters([0, 1], [2, 3]), clusters([0, 1], [2, 3]))).toEqual([]);
    expect(regroupings(clusters([0, 1], [2, 3]), clusters([0, 1], [2], [3]))).toEqual([
      { from: [1], to: [{ id: 1, shardIds: [2] }, { id: 2, shardIds: [3] }] }, // prettier-ignore
    ]);
  });

  it('merges from the first on and splits from the last on, for the sake of the numbers', () => {
    const four = clusters([0], [1], [2], [3]);
    const two = clusters([0, 1], [2, 3]);
    expect(regroupings(four, two).map(({ from, to }) => [from, to.map(({ id }) => id)])).toEqual([
      [[0, 1], [0]],
      [[2, 3], [1]],
    ]);
    expect(regroupings(two, four).map(({ from, to }) => [from, to.map(({ id }) => id)])).toEqual([
      [[1], [2, 3]],
      [[0], [0, 1]],
    ]);
  });

  it('takes together what shares shards', () => {
    const parts = regroupings(clusters([0, 1], [2, 3], [4, 5]), clusters([0, 1, 2], [3, 4, 5]));
    expect(parts.map(({ from }) => from)).toEqual([[0, 1, 2]]);
  });

  it('from any number of clusters to any other: each shard is somewhere all the time, no number is there twice', () => {
    const range = { totalShards: 24, shardIds: Array.from({ length: 24 }, (_, id) => id) };
    for (let before = 1; before <= 24; before++) {
      for (let after = 1; after <= 24; after++) {
        let now: ClusterPlan[] = [...planEvenly(range, before).clusters];
        const target = planEvenly(range, after).clusters;
        for (const { from, to } of regroupings(now, target)) {
          now = [...now.filter(({ id }) => !from.includes(id)), ...to];
          expect(new Set(now.map(({ id }) => id)).size).toBe(now.length);
          expect(now.flatMap(({ shardIds }) => shardIds).sort((a, b) => a - b)).toEqual(range.shardIds);
        }
        expect(now.sort((a, b) => a.id - b.id)).toEqual(target);
      }
    }
  });
});
