import type { ClusterState } from '../../src/control/contract';
import type { MasterView } from '../../src/sharding/master';
import { buildStatus, type StatusInput } from '../../src/supervisor/status';

type Cluster = MasterView['clusters'][number];

function cluster(state: ClusterState): Cluster {
  return {
    id: 0,
    pid: 1,
    state,
    shards: [0],
    release: 'live',
    restarts: 0,
    cpuPercent: null,
    sample: null,
    uptimeMs: null,
    agent: null,
    adopted: false,
    guilds: 0,
    lastExit: 'exit code 1',
    retryAt: null,
    message: null,
    notices: [],
    handoff: null,
  };
}

function input(state: ClusterState): StatusInput {
  return {
    record: {
      pid: 1,
      startTime: '1',
      version: '0.1.0',
      state: 'running',
      since: 0,
      startedAt: 0,
      name: 'bot',
      sandbox: false,
      http: null,
    },
    entry: null,
    stateDir: '/state',
    tiers: {
      postgres: { kind: 'off', state: 'off', address: null, version: null, message: null, shards: 0 },
      redis: { kind: 'off', state: 'off', address: null, version: null, message: null },
    },
    data: null,
    ownData: null,
    health: null,
    deploy: null,
    outage: null,
    incidents: [],
    capacity: null,
    maintenance: null,
    rest: null,
    master: {
      totalShards: 1,
      clusters: [cluster(state)],
      shards: [],
      gate: { gate: 'passing', retryAt: null, reason: null },
      identify: { budget: null, maxConcurrency: 1, queued: 0, blocked: null },
      fatal: null,
    },
    message: null,
    now: 10_000,
  };
}

test('a bot whose clusters are all ready is well', () => {
  expect(buildStatus(input('ready'))).toMatchObject({ verdict: 'well', problems: [] });
});

test.each<[ClusterState, string]>([
  ['waiting', 'Cluster 0 is starting.'],
  ['booting', 'Cluster 0 is starting.'],
  ['starting', 'Cluster 0 is starting.'],
  ['hung', 'Cluster 0 is hung and is being replaced.'],
  ['backoff', 'Cluster 0 died (exit code 1) and starts again soon.'],
  ['crash-loop', 'Cluster 0 is in a crash loop (exit code 1). See: botctl logs --cluster 0'],
  ['stopped', 'Cluster 0 is stopped.'],
])('a %s cluster without a fatal cause makes the bot degraded', (state, problem) => {
  expect(buildStatus(input(state))).toMatchObject({ verdict: 'degraded', problems: [problem] });
});

test('a bot without a master is not well', () => {
  expect(buildStatus({ ...input('ready'), master: null }).verdict).toBe('degraded');
});

test('a database that is down is a problem', () => {
  const given = input('ready');
  const redis = { ...given.tiers.redis, state: 'down' as const, message: 'refused' };
  expect(buildStatus({ ...given, tiers: { ...given.tiers, redis } })).toMatchObject({
    verdict: 'degraded',
    problems: ['Redis is down: refused.'],
  });
});
