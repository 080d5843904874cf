import type { RecoveryOverview } from '../../src/control/recovery-contract';
import { CONTROL_API_VERSION, type ClusterStatus, type ShardStatus, type Status } from '../../src/control/contract';

/** A moment that the fixtures count from, ms since the epoch. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

export function aCluster(id: number, shards: number[], over: Partial<ClusterStatus> = {}): ClusterStatus {
  return {
    id,
    pid: 4000 + id,
    state: 'ready',
    shards,
    release: 'r1',
    restarts: 0,
    rssBytes: 180 * 1024 * 1024,
    cpuPercent: 3.4,
    loopDelayP99Ms: 12,
    uptimeSeconds: 7380,
    agent: true,
    adopted: false,
    guilds: shards.length * 62,
    lastExit: null,
    retryAt: null,
    message: null,
    notices: [],
    handoff: null,
    ...over,
  };
}

export function aShard(id: number, cluster: number, over: Partial<ShardStatus> = {}): ShardStatus {
  return {
    id,
    cluster,
    state: 'ready',
    pingMs: 41,
    lastAckAgeMs: 12_000,
    lastEventAgeMs: 300,
    guilds: 62,
    unavailableGuilds: 0,
    resumes: 0,
    identifies: 1,
    closes: 0,
    lastCloseCode: null,
    ...over,
  };
}

/** A bot that is well: `clusters` clusters with `perCluster` shards each. */
export function aStatus(clusters = 4, perCluster = 4, over: Partial<Status> = {}): Status {
  const ids = Array.from({ length: clusters }, (_, id) => id);
  const shardsOf = (id: number): number[] => Array.from({ length: perCluster }, (_, i) => id * perCluster + i);
  return {
    apiVersion: CONTROL_API_VERSION,
    bot: { name: 'my-bot', entry: '/srv/bot/bot.js', totalShards: clusters * perCluster },
    supervisor: {
      state: 'running',
      pid: 3999,
      uptimeSeconds: 7400,
      version: '0.1.0',
      rssBytes: 71 * 1024 * 1024,
      message: null,
      http: 'http://127.0.0.1:9090',
      stateDir: '/srv/bot/.botctl',
      sandbox: false,
    },
    clusters: ids.map((id) => aCluster(id, shardsOf(id))),
    shards: ids.flatMap((id) => shardsOf(id).map((shard) => aShard(shard, id))),
    identify: {
      total: 1000,
      remaining: 984,
      reserve: 100,
      resetAt: NOW + 20 * 3600_000,
      maxConcurrency: 1,
      queued: 0,
      blocked: null,
    },
    gateway: { gate: 'passing', retryAt: null, reason: null },
    postgres: { kind: 'embedded', state: 'up', address: '127.0.0.1:54329', version: '15.18', message: null, shards: 4 },
    redis: { kind: 'off', state: 'off', address: null, version: null, message: null },
    data: null,
    health: null,
    deploy: null,
    outage: null,
    incidents: [],
    capacity: null,
    maintenance: null,
    rest: null,
    verdict: 'well',
    problems: [],
    actions: [],
    ...over,
  };
}

/** Recovery that has nothing to do. */
export function aRecoveryOverview(): RecoveryOverview {
  return {
    mode: 'on',
    maxPerHour: 30,
    usedThisHour: 0,
    maxShards: 0.25,
    outage: null,
    busy: null,
    strategies: [],
    actions: [],
  };
}
