import { clustersOf, databaseOf } from '../fleet';
import type { Step } from '../strategy';

const QUIET = { touches: 'nothing', needsDiscord: false } as const;

export const revivePostgres: Step = {
  ...QUIET,
  name: 'revive-postgres',
  does: 'Look at Postgres at once; an embedded server that does not answer is started again',
  verifyMs: 30_000,
  run: (_, actions) => actions.reviveServer('postgres'),
};

export const recyclePool: Step = {
  ...QUIET,
  name: 'recycle-pool',
  does: 'Replace the connections of all clusters to the database shard; deferred writes are replayed in order',
  verifyMs: 30_000,
  run: async ({ scope }, actions) => {
    const recycled = await actions.remedy({ kind: 'recycle-pool', database: databaseOf(scope) });
    const replayed = await actions.remedy({ kind: 'replay-deferred' });
    return { ok: recycled.ok, text: `${recycled.text}; ${replayed.text}` };
  },
};

export const replayDeferred: Step = {
  ...QUIET,
  name: 'replay-deferred',
  does: 'Try the deferred writes at once, in order, each of them once',
  verifyMs: 30_000,
  run: (_, actions) => actions.remedy({ kind: 'replay-deferred' }),
};

export const addConnections: Step = {
  ...QUIET,
  name: 'add-connections',
  does: 'Allow more connections, within what the database servers have',
  verifyMs: 60_000,
  run: ({ scope }, actions) => actions.addConnections(databaseOf(scope)),
};

/** For what has many causes, of which too few connections are one. */
export const addConnectionsWhereShort: Step = {
  ...addConnections,
  pointless: ({ scope, fleet }) => {
    const isShort = clustersOf(scope, fleet).some(({ waiting }) => waiting > 0);
    return isShort ? null : 'no caller waits for a database connection';
  },
};

export const reviveRedis: Step = {
  ...QUIET,
  name: 'revive-redis',
  does: 'Look at Redis at once; an embedded server that does not answer is started again',
  verifyMs: 30_000,
  run: (_, actions) => actions.reviveServer('redis'),
};

export const reconnectRedis: Step = {
  ...QUIET,
  name: 'reconnect-redis',
  does: 'Make new connections to Redis in all clusters',
  verifyMs: 30_000,
  run: (_, actions) => actions.remedy({ kind: 'recycle-redis' }),
};
