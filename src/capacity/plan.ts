import type { Deployment } from './deployment';
import type { Change, Cost, Recommendation, ResourceReport } from './report';
import { amount } from './words';

export interface Need {
  report: ResourceReport;
  limit: number;
  /** What is expected to be in use when the change should still do. */
  needed: number;
  /** Share of the limit that may be in use then. */
  target: number;
}

type Plan = Pick<Recommendation, 'change' | 'how' | 'cost'>;

/** A connection of Postgres takes about so much of the server's memory. */
const CONNECTION_BYTES = 10 * 1024 ** 2;
const CONNECTION_STEP = 50;
const HEAP_STEP = 512 * 1024 ** 2;
const GB = 1024 ** 3;

/** The change that makes room, and what it takes. Pure. */
export function planFor(need: Need, deployment: Deployment): Plan {
  switch (need.report.resource) {
    case 'guilds-per-shard':
      return moreShards(need, deployment);
    case 'cluster-cpu':
      return smallerClusters(need, deployment);
    case 'heap':
      return moreHeap(need, deployment);
    case 'memory':
      return moreMemory(need, deployment);
    case 'cpu':
      return machine(
        need,
        'CPUs',
        (value) => String(Math.ceil(value)),
        'The bot shares them with what else runs here.',
      );
    case 'disk':
      return machine(
        need,
        'disk of stateDir',
        gigabytes,
        'Or set stateDir to a larger disk, or `logging.maxBytes` lower.',
      );
    case 'pool-connections':
      return largerPool(need, deployment);
    case 'connections':
      return moreConnections(need, deployment);
    case 'database-size':
      return moreDatabases(need, deployment);
    case 'identifies':
      return fewerIdentifies(need, deployment);
    case 'guilds':
    case 'shards':
    case 'clusters':
      return { change: null, how: '', cost: {} }; // they have no limit of their own
  }
}

function moreShards({ limit, needed, target }: Need, deployment: Deployment): Plan {
  const { totalShards, autoShards, localShards, maxConcurrency, identifiesLeft } = deployment;
  if (totalShards === null) return { change: null, how: 'Ask again when the shards are known.', cost: {} };
  // Very large bots must have a multiple of max_concurrency; others keep their clusters full.
  const multiple = maxConcurrency > 1 ? maxConcurrency : deployment.shardsPerCluster;
  const enough = (totalShards * needed) / (limit * target);
  const to = Math.max(roundUp(enough, multiple), roundUp(totalShards + 1, multiple));
  const local = Math.ceil((localShards * to) / totalShards);
  const short =
    identifiesLeft !== null && identifiesLeft < to ? ` Only ${identifiesLeft} identifies are left today.` : '';
  return {
    change: config('sharding.totalShards', autoShards ? `auto (${totalShards})` : String(totalShards), String(to)),
    how: `Change it and restart: all ${to} shards identify anew.${short}`,
    cost: { ...moreProcesses(Math.ceil(local / deployment.shardsPerCluster), deployment), identifies: to },
  };
}

function smallerClusters({ limit, needed, target }: Need, deployment: Deployment): Plan {
  const { shardsPerCluster: from, localShards } = deployment;
  const to = Math.max(1, Math.min(from - 1, Math.floor((from * limit * target) / needed)));
  if (from === 1) {
    return {
      change: null,
      how: 'A cluster has one shard already: more shards (`sharding.totalShards`) leave less to do for each.',
      cost: {},
    };
  }
  return {
    change: config('sharding.shardsPerCluster', String(from), String(to)),
    how: 'JavaScript runs on one core: fewer shards in a process. Change it and restart; sessions are resumed.',
    cost: moreProcesses(Math.ceil(localShards / to), deployment),
  };
}

function moreHeap(need: Need, deployment: Deployment): Plan {
  const { limit, needed, target } = need;
  const to = roundUp(needed / target, HEAP_STEP);
  const memoryBytes = (to - limit) * deployment.clusters;
  if (memoryBytes > deployment.freeMemoryBytes) {
    const plan = smallerClusters(need, deployment);
    return { ...plan, how: `There is no memory for a larger heap in each cluster. ${plan.how}` };
  }
  return {
    change: config('bot.nodeArgs', `heap of ${megabytes(limit)} MB`, `['--max-old-space-size=${megabytes(to)}']`),
    how: 'Change it and restart; sessions are resumed.',
    cost: { memoryBytes },
  };
}

function moreMemory({ limit, needed, target }: Need, { memoryLimitedBy }: Deployment): Plan {
  const to = roundUp(needed / target, GB);
  return {
    change: {
      where: 'machine',
      key: memoryLimitedBy === 'cgroup' ? 'memory limit of the container or service' : 'memory',
      from: gigabytes(limit),
      to: gigabytes(to),
    },
    how: 'Or less of it: `cache.maxBytes`, and caches of discord.js that the bot does not need.',
    cost: { memoryBytes: to - limit },
  };
}

function largerPool({ limit, needed, target }: Need, { poolMax: from }: Deployment): Plan {
  // Of the budget, what the division over processes leaves over is in nobody's pool.
  const to = Math.max(from, roundUp((from * needed) / (limit * target), 10));
  const cost: Cost = { connections: to - from, memoryBytes: (to - from) * CONNECTION_BYTES };
  return {
    change: config('postgres.pool.max', String(from), String(to)),
    how: 'Change it and restart; the start checks that the servers have so many (`max_connections`).',
    cost,
  };
}

function moreConnections({ report, limit, needed, target }: Need, { embeddedPostgres }: Deployment): Plan {
  const to = roundUp(needed / target, CONNECTION_STEP);
  const cost: Cost = { connections: to - limit, memoryBytes: (to - limit) * CONNECTION_BYTES };
  if (embeddedPostgres) {
    return {
      change: null,
      how: 'The embedded server is for small bots: set `postgres.shards` to servers of your own.',
      cost: {},
    };
  }
  return {
    change: { where: 'server', key: `max_connections of ${report.scope}`, from: String(limit), to: String(to) },
    how: `ALTER SYSTEM SET max_connections = ${to}, then restart the server; or put PgBouncer between.`,
    cost,
  };
}

function moreDatabases({ limit, needed, target }: Need, { databaseShards, embeddedPostgres }: Deployment): Plan {
  if (embeddedPostgres) {
    return {
      change: null,
      how: `The databases are on the disk of stateDir, which needs ${amount(needed / target, 'bytes')} for each.`,
      cost: {},
    };
  }
  const to = Math.max(databaseShards + 1, Math.ceil((databaseShards * needed) / (limit * target)));
  return {
    change: config('postgres.shards', `${databaseShards} databases`, `${to} databases`),
    how: 'Append them, restart, then `botctl db rebalance`: guilds move while they are served.',
    cost: {},
  };
}

function fewerIdentifies({ limit }: Need, { totalShards }: Deployment): Plan {
  const times = totalShards === null ? '' : ` A restart without sessions takes ${totalShards} of ${limit}.`;
  return {
    change: null,
    how: `Discord sets the limit.${times} What identifies: botctl metrics shard_identifies_total --by shard --since 24h`,
    cost: {},
  };
}

function machine({ limit, needed, target }: Need, key: string, write: (value: number) => string, how: string): Plan {
  return { change: { where: 'machine', key, from: write(limit), to: write(needed / target) }, how, cost: {} };
}

function moreProcesses(clusters: number, deployment: Deployment): Cost {
  const processes = Math.max(0, clusters - deployment.clusters);
  // At most: what is in the caches is shared out among more.
  return { processes, ...(deployment.clusterBytes !== null && { memoryBytes: processes * deployment.clusterBytes }) };
}

function config(key: string, from: string, to: string): Change {
  return { where: 'config', key, from, to };
}

function gigabytes(value: number): string {
  return `${Math.ceil((value / GB) * 10) / 10} GB`;
}

function megabytes(value: number): number {
  return Math.round(value / 1024 ** 2);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
