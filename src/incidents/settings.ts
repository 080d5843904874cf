import type { RuleLimits } from './rule';
import type { IncidentType, Severity } from './types';

/** What can be set of botctl's own rules, as in `incidents.detect` of the config. Durations in ms, sizes in bytes. */
export interface DetectSettings {
  discordOutage: RuleLimits;
  guildDrop: RuleLimits & { share: number; minGuilds: number };
  clusterFatal: RuleLimits;
  clusterCrash: RuleLimits;
  crashLoop: RuleLimits & { deaths: number; window: number };
  clusterHung: RuleLimits;
  shardStuck: RuleLimits;
  shardDisconnects: RuleLimits & { count: number; share: number; window: number };
  eventLoopLag: RuleLimits & { delay: number };
  memoryPressure: RuleLimits & {
    spike: number;
    window: number;
    warmUp: number;
    nearLimit: number;
    limit?: number | undefined;
  };
  errorRate: RuleLimits & { share: number; criticalShare: number; minCalls: number; window: number };
  slowResponses: RuleLimits & { mean: number; minCalls: number; window: number };
  databaseDown: RuleLimits;
  poolExhausted: RuleLimits & { wait: number };
  deferredWritesStuck: RuleLimits & { age: number };
  redisDown: RuleLimits;
  identifyBudgetLow: RuleLimits & { share: number };
  restGuardDown: RuleLimits;
  rest429Storm: RuleLimits & { count: number; window: number };
  invalidRequests: RuleLimits & { share: number; limit: number };
  restUnauthorized: RuleLimits;
  diskLow: RuleLimits;
  healthCheck: RuleLimits;
}

export const CUSTOM_STATS = [
  'rate',
  'increase',
  'mean',
  'min',
  'max',
  'p50',
  'p90',
  'p95',
  'p99',
  'count',
  'latest',
] as const;

/** A rule of the config. Durations in ms. */
export interface CustomRuleSettings {
  name: string;
  metric: string;
  stat?: (typeof CUSTOM_STATS)[number] | undefined;
  where: Readonly<Record<string, string>>;
  /** One incident for each cluster or database shard that it holds for, instead of one for the bot. */
  per?: 'cluster' | 'shard' | 'database' | undefined;
  window: number;
  /** One of the two. */
  above?: number | undefined;
  below?: number | undefined;
  /** Absent: a fifth on the good side of the threshold. */
  clearAt?: number | undefined;
  for: number;
  clear: number;
  severity: Severity;
  strategy?: IncidentType | undefined;
  title?: string | undefined;
}
