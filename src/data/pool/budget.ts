/** Connections of the whole deployment, see requirements M3. */
export interface PoolBudget {
  /** Connections kept open in all processes together, to all database shards together. */
  min: number;
  /** Connections that all processes together may open, to all database shards together. */
  max: number;
}

export interface PoolShare {
  min: number;
  max: number;
}

export interface Deployment {
  /** Processes of the bot. */
  clusters: number;
  databaseShards: number;
}

/** The supervisor's own connections to each database shard: a look at it, and a move of guilds. */
export const SUPERVISOR_CONNECTIONS = 4;

/** The budget does not go round; the message shows the arithmetic. */
export class PoolBudgetError extends Error {
  override readonly name = 'PoolBudgetError';
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/**
 * Divides the budget: what each cluster may open to each database shard.
 * @throws PoolBudgetError when that is less than one
 */
export function divideBudget({ min, max }: PoolBudget, { clusters, databaseShards }: Deployment): PoolShare {
  const own = SUPERVISOR_CONNECTIONS * databaseShards;
  const pools = clusters * databaseShards;
  const share = Math.floor((max - own) / pools);
  if (share < 1) {
    throw new PoolBudgetError(
      `postgres.pool.max is ${max}, but ${clusters} clusters x ${databaseShards} database shards x 1 connection ` +
        `+ ${own} of the supervisor = ${pools + own}.`,
      `Set postgres.pool.max to ${pools + own} or more, or raise sharding.shardsPerCluster so that fewer processes share it.`,
    );
  }
  return { min: Math.min(share, Math.floor(min / pools)), max: share };
}

export interface ServerLimit {
  /** Host and port. */
  address: string;
  /** Database shards on this server. */
  shards: number[];
  maxConnections: number;
  /** superuser_reserved_connections and reserved_connections. */
  reserved: number;
}

/**
 * Checks that each server has the connections which the shares add up to.
 * @throws PoolBudgetError with the sum of the first server which has not
 */
export function checkServers(share: PoolShare, deployment: Deployment, servers: readonly ServerLimit[]): void {
  for (const { address, shards, maxConnections, reserved } of servers) {
    const mine = shards.length * (deployment.clusters * share.max + SUPERVISOR_CONNECTIONS);
    const free = maxConnections - reserved;
    if (mine <= free) continue;
    const count = `${shards.length} database shard${shards.length === 1 ? '' : 's'}`;
    throw new PoolBudgetError(
      `Postgres at ${address} takes ${free} connections (max_connections ${maxConnections} - ${reserved} reserved), but ` +
        `${count} x (${deployment.clusters} clusters x ${share.max} + ${SUPERVISOR_CONNECTIONS} of the supervisor) = ${mine}.`,
      `Lower postgres.pool.max, raise max_connections of the server to ${mine + reserved} or more, or put a pooler between.`,
    );
  }
}
