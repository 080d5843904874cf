import { checkServers, divideBudget, PoolBudgetError } from '../../../src/data/pool/budget';

test.each([
  [
    { min: 10, max: 100 },
    { clusters: 4, databaseShards: 4 },
    { min: 0, max: 5 },
  ],
  [
    { min: 10, max: 100 },
    { clusters: 1, databaseShards: 1 },
    { min: 10, max: 96 },
  ],
  [
    { min: 64, max: 1_000 },
    { clusters: 16, databaseShards: 4 },
    { min: 1, max: 15 },
  ],
  [
    { min: 50, max: 20 },
    { clusters: 1, databaseShards: 4 },
    { min: 1, max: 1 },
  ],
])('%j over %j', (budget, deployment, share) => {
  expect(divideBudget(budget, deployment)).toEqual(share);
});

test('shows the sum when the budget does not go round', () => {
  const divide = (): unknown => divideBudget({ min: 10, max: 100 }, { clusters: 64, databaseShards: 4 });
  expect(divide).toThrow(PoolBudgetError);
  expect(divide).toThrow(
    'postgres.pool.max is 100, but 64 clusters x 4 database shards x 1 connection + 16 of the supervisor = 272.',
  );
  try {
    divide();
  } catch (error) {
    expect((error as PoolBudgetError).hint).toMatch(/Set postgres\.pool\.max to 272 or more/);
  }
});

describe('the limits of the servers', () => {
  const server = { address: 'db:5432', shards: [0, 1, 2, 3], maxConnections: 100, reserved: 3 };

  test('are kept', () => {
    const deployment = { clusters: 4, databaseShards: 4 };
    expect(() => checkServers({ min: 0, max: 5 }, deployment, [server])).not.toThrow();
  });

  test('are refused with the sum', () => {
    const deployment = { clusters: 16, databaseShards: 4 };
    expect(() => checkServers({ min: 0, max: 15 }, deployment, [server])).toThrow(
      'Postgres at db:5432 takes 97 connections (max_connections 100 - 3 reserved), but ' +
        '4 database shards x (16 clusters x 15 + 4 of the supervisor) = 976.',
    );
  });

  test('count each server on its own', () => {
    const deployment = { clusters: 8, databaseShards: 2 };
    const servers = [0, 1].map((shard) => ({ ...server, address: `db${shard}:5432`, shards: [shard] }));
    expect(() => checkServers({ min: 0, max: 11 }, deployment, servers)).not.toThrow();
    expect(() => checkServers({ min: 0, max: 12 }, deployment, servers)).toThrow(/db0:5432/);
  });
});
