import type { Sample, ShardReport } from '../../../src/ipc/messages';
import type { LiveBot } from '../../../src/health/live';

export const HEARTBEAT_MS = 41_250;

export function aReport(id: number, now: number, over: Partial<ShardReport> = {}): ShardReport {
  return {
    id,
    phase: 'ready',
    since: now - 3_600_000,
    pingMs: 40,
    lastAckAt: now - 10_000,
    lastEventAt: now - 500,
    heartbeatIntervalMs: HEARTBEAT_MS,
    guilds: 60,
    unavailableGuilds: 0,
    events: 10_000,
    identifies: 1,
    resumes: 0,
    closes: 0,
    lastCloseCode: null,
    ...over,
  };
}

export function aSample(now: number, shards: ShardReport[], over: Partial<Sample> = {}): Sample {
  return {
    at: now - 1_000,
    uptimeMs: 3_600_000,
    rssBytes: 200e6,
    heapUsedBytes: 100e6,
    heapLimitBytes: 4e9,
    cpuUserMs: 0,
    cpuSystemMs: 0,
    loopDelayMeanMs: 1,
    loopDelayP99Ms: 3,
    loopDelayMaxMs: 20,
    unhandledRejections: 0,
    shards,
    ...over,
  };
}

/** One cluster with these shards, all well. */
export function aBot(now: number, shards: ShardReport[], over: Partial<LiveBot> = {}): LiveBot {
  return {
    fatal: null,
    gate: { gate: 'passing', reason: null },
    identify: { budget: { total: 1_000, remaining: 900, reserve: 100, resetAt: now + 3_600_000 } },
    clusters: [{ id: 0, state: 'ready', agent: true, uptimeMs: 3_600_000, sample: aSample(now, shards) }],
    shards: shards.map(({ id, phase }) => ({ id, cluster: 0, state: phase })),
    ...over,
  };
}
