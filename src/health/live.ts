import type { Sample, ShardReport } from '../ipc/messages';

/** What the supervisor knows of the bot at this moment; the checks read it, they do not ask the clusters. */
export interface LiveBot {
  /** A cause that holds all clusters, or null. */
  fatal: string | null;
  gate: { gate: 'passing' | 'backing-off' | 'probing'; reason: string | null };
  identify: {
    /** Identifies of the day; `resetAt` in ms since the epoch. null: not known yet. */
    budget: { total: number; remaining: number; reserve: number; resetAt: number } | null;
  };
  clusters: readonly LiveCluster[];
  shards: readonly LiveShard[];
}

export interface LiveCluster {
  id: number;
  /** As in `status`. */
  state: string;
  /** false: it runs without the agent's hook, so that nothing is known of its shards. */
  agent: boolean | null;
  uptimeMs: number | null;
  /** The last one, sent every few seconds; null: none of this process yet. */
  sample: Sample | null;
}

export interface LiveShard {
  id: number;
  cluster: number;
  /** As in `status`. */
  state: string;
}

/** null: there is no bot yet. */
export type LiveSource = () => LiveBot | null;

/** Samples come every 5 s: what we know may be that old, and a little more, ms. */
export const SAMPLE_AGE_MS = 7_500;

/** A shard that says it is connected. */
export function claimsReady({ state }: LiveShard): boolean {
  return state === 'ready' || state === 'stale';
}

/** The agent's last word on each shard. */
export function reportsOf({ clusters }: LiveBot): Map<number, ShardReport> {
  return new Map(clusters.flatMap(({ sample }) => (sample?.shards ?? []).map((report) => [report.id, report])));
}

/**
 * For how long a connected shard has had no heartbeat acknowledged, and how long that may be, ms; null while its interval
 * is not known. Never by its ping, which keeps its last good value.
 */
export function ackAge(report: ShardReport, intervals: number, now: number): { age: number; limit: number } | null {
  if (report.heartbeatIntervalMs === null || report.phase !== 'ready') return null;
  // The first heartbeat of a connection comes within one interval.
  const age = now - Math.max(report.lastAckAt ?? 0, report.since);
  return { age: Math.max(0, age), limit: report.heartbeatIntervalMs * intervals + SAMPLE_AGE_MS };
}
