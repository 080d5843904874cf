import { LocalShardAssignment, planClusters, planEvenly } from '../../src/sharding/plan';

describe('LocalShardAssignment', () => {
  test('auto takes the recommendation of the gateway', () => {
    expect(new LocalShardAssignment({ totalShards: 'auto' }).assign({ shards: 3 })).toEqual({
      totalShards: 3,
      shardIds: [0, 1, 2],
    });
  });

  test('auto keeps the count of a run that still lives, unless it has become too small', () => {
    const assignment = new LocalShardAssignment({ totalShards: 'auto', previousTotal: 16 });
    expect(assignment.assign({ shards: 17 }).totalShards).toBe(16);
    expect(assignment.assign({ shards: 100 }).totalShards).toBe(100);
  });

  test('refuses a count under the least that Discord accepts, and says which works', () => {
    const assignment = new LocalShardAssignment({ totalShards: 3 });
    expect(() => assignment.assign({ shards: 10 })).toThrow(
      'sharding.totalShards is 3, but Discord recommends 10 shards for this bot and refuses fewer than about 4',
    );
    expect(assignment.assign({ shards: 7 }).totalShards).toBe(3);
  });

  test('runs only the shards of this host when they are listed', () => {
    const assignment = new LocalShardAssignment({ totalShards: 8, shards: [4, 5] });
    expect(assignment.assign({ shards: 1 })).toEqual({ totalShards: 8, shardIds: [4, 5] });
  });
});

describe('planClusters', () => {
  test('cuts contiguous ranges', () => {
    const plan = planClusters({ totalShards: 10, shardIds: [...Array(10).keys()] }, 4);
    expect(plan.clusters).toEqual([
      { id: 0, shardIds: [0, 1, 2, 3] },
      { id: 1, shardIds: [4, 5, 6, 7] },
      { id: 2, shardIds: [8, 9] },
    ]);
  });

  test('one shard per cluster gives the process-per-shard model', () => {
    const plan = planClusters({ totalShards: 3, shardIds: [2, 0, 1] }, 1);
    expect(plan.clusters.map(({ shardIds }) => shardIds)).toEqual([[0], [1], [2]]);
  });
});

describe('planEvenly', () => {
  test.each([
    [
      7,
      3,
      [
        [0, 1],
        [2, 3],
        [4, 5, 6],
      ],
    ],
    [4, 4, [[0], [1], [2], [3]]],
    [2, 5, [[0], [1]]],
    [3, 1, [[0, 1, 2]]],
  ])('%i shards in %i clusters', (shards, count, expected) => {
    const range = { totalShards: 16, shardIds: Array.from({ length: shards }, (_, id) => id).reverse() };
    const plan = planEvenly(range, count);
    expect(plan.totalShards).toBe(16);
    expect(plan.clusters.map(({ id }) => id)).toEqual(expected.map((_, id) => id));
    expect(plan.clusters.map(({ shardIds }) => shardIds)).toEqual(expected);
  });
});
