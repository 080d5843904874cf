import type { DataStatus, HealthCheckStatus, HealthStatus, Status } from '../../../src/control/contract';
import { aStatus } from '../../control/status.fixture';

const MB = 1024 ** 2;

/** The bots that the page is looked at with. `now`: ms since the epoch. */
export function aServingBot(clusters: number, perCluster: number, now: number): Status {
  const status = aStatus(clusters, perCluster);
  return {
    ...status,
    clusters: status.clusters.map((cluster, i) => ({
      ...cluster,
      release: '2026-11-20.3f9c1a7',
      uptimeSeconds: 391_000 + i * 7,
      rssBytes: (340 + ((i * 37) % 90)) * MB,
      cpuPercent: 8 + ((i * 13) % 11),
      loopDelayP99Ms: 6 + ((i * 5) % 9),
      guilds: perCluster * 1_540 + i,
    })),
    shards: status.shards.map((shard, i) => ({
      ...shard,
      guilds: 1_540 + (i % 7),
      pingMs: 36 + ((i * 11) % 17),
      lastAckAgeMs: 2_000 + ((i * 977) % 38_000),
      lastEventAgeMs: 10 + ((i * 7) % 240),
    })),
    supervisor: { ...status.supervisor, uptimeSeconds: 391_080, rssBytes: 96 * MB },
    identify: { ...status.identify, total: 1_000, remaining: 962, resetAt: now + 14.2 * 3_600_000, maxConcurrency: 16 },
    postgres: { kind: 'external', state: 'up', address: 'db.internal:5432', version: '17.6', message: null, shards: 4 },
    redis: { kind: 'external', state: 'up', address: 'redis.internal:6379', version: '7.4.2', message: null },
    data: aDataTier(),
    health: aHealth(now, clusters * perCluster, clusters),
  };
}

/** The same bot on a bad day: a cluster that died, one that hangs, shards that hear nothing, a full disk. */
export function aBotInTrouble(clusters: number, perCluster: number, now: number): Status {
  const status = aServingBot(clusters, perCluster, now);
  const shards = status.shards.map((shard) => {
    if (shard.cluster === 1) return { ...shard, state: 'dead' as const, pingMs: null };
    if (shard.cluster === 2 && shard.id % perCluster > 1) return { ...shard, state: 'resuming' as const };
    return shard.id % 211 === 14 ? { ...shard, state: 'stale' as const, lastAckAgeMs: 97_000 } : shard;
  });
  const states = new Map([
    [1, 'backoff' as const],
    [2, 'degraded' as const],
  ]);
  const health = aHealth(now, shards.length, clusters, {
    name: 'disk',
    state: 'unhealthy',
    since: now - 190_000,
    unhealthy: 1,
    message: '1.1 GB free of 40 GB (3 %), less than 5 %',
  });
  return {
    ...status,
    shards,
    health,
    clusters: status.clusters.map((cluster) => ({
      ...cluster,
      state: states.get(cluster.id) ?? cluster.state,
      ...(cluster.id === 1 && {
        restarts: 3,
        rssBytes: null,
        cpuPercent: null,
        loopDelayP99Ms: null,
        uptimeSeconds: null,
        lastExit: 'exit code 134 (out of memory)',
        retryAt: now + 8_000,
      }),
    })),
    verdict: 'degraded',
    problems: [
      'Cluster 1 died (exit code 134 (out of memory)) and starts again soon.',
      '2 shards not ready: 10 resuming, 11 resuming.',
      'Unhealthy: disk: 1.1 GB free of 40 GB (3 %), less than 5 %.',
    ],
    actions: [
      { text: 'Cluster 1 starts again', at: now + 8_000 },
      { text: 'Shards 10, 11 resume their sessions', at: null },
    ],
  };
}

function aDataTier(): DataStatus {
  return {
    problem: null,
    shards: [0, 1, 2, 3].map((shard) => ({
      shard,
      address: `db.internal:5432/bot_${shard}`,
      buckets: 256,
      pinnedGuilds: shard === 2 ? 3 : 0,
      pools: {
        processes: 4,
        max: 24,
        total: 11 + shard,
        idle: 8 - shard,
        inUse: 3 + 2 * shard,
        waiting: 0,
        acquireTimeouts: 0,
        errors: 0,
        acquireP99Ms: 1.4,
      },
    })),
    move: null,
    cache: {
      processes: 4,
      l1: { hits: 912_044, misses: 61_203, entries: 48_112, bytes: 58 * MB, evictions: 120 },
      l2: { hits: 51_870, misses: 9_333, errors: 0, open: 0 },
      l3: { hits: 0, misses: 0, errors: 0 },
      loads: 9_333,
      loadErrors: 0,
    },
    deferred: { pending: 0, bytes: 0, oldestAgeMs: null, deadLetters: 0 },
  };
}

function aHealth(now: number, shards: number, clusters: number, bad?: Partial<HealthCheckStatus>): HealthStatus {
  const check = (name: string, scopes: number, message: string): HealthCheckStatus => ({
    name,
    state: 'healthy',
    since: now - 391_000_000,
    scopes,
    failing: 0,
    unhealthy: 0,
    message,
    named: [],
  });
  const checks = [
    check('discord', 1, `${shards} of ${shards} shards hear from the gateway`),
    check('shards', shards, 'last heartbeat 12 s ago'),
    check('postgres', 4, 'answers in 2 ms, takes writes'),
    check('redis', 1, 'answers in 1 ms'),
    check('memory', clusters + 1, '3.1 of 16 GB'),
    check('event-loop', clusters, 'p99 12 ms'),
    check('disk', 1, '21 GB free of 40 GB (52 %)'),
    check('identify-budget', 1, '962 of 1,000 left'),
  ];
  const changed = checks.map((one) => (one.name === bad?.name ? { ...one, ...bad } : one));
  changed.sort((a, b) => Number(b.state === 'unhealthy') - Number(a.state === 'unhealthy'));
  return {
    state: bad === undefined ? 'healthy' : 'unhealthy',
    roundAt: now - 9_000,
    intervalMs: 30_000,
    checks: changed,
  };
}
