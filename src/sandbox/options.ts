import type { RestLimitOptions } from './rest-limits';

/** Durations in ms. */
export interface SandboxOptions {
  guilds: number;
  channelsPerGuild: number;
  membersPerGuild: number;
  /** What /gateway/bot recommends. */
  shards: number;
  /** An IDENTIFY with fewer shards is closed with 4011. */
  minShards: number;
  maxConcurrency: number;
  identifyIntervalMs: number;
  sessionStartTotal: number;
  sessionStartRemaining: number;
  heartbeatIntervalMs: number;
  /** Events per second over all guilds that a bot is expected to answer. */
  rate: number;
  /** Events kept per session for a RESUME. */
  resumeBuffer: number;
  /** How long a session without a connection can be resumed. */
  resumeWindowMs: number;
  /** Intents bits that close the connection with 4014. */
  disallowedIntents: number;
  /** The only token that is accepted; null: any that is not empty and does not contain "wrong". */
  token: string | null;
  /** REST requests per second over which 429 is answered; 0: no limit. */
  restPerSecond: number;
  /** Discord's REST limits, enforced strictly; null: not at all. */
  restLimits: RestLimitOptions | null;
  /** Time that each REST answer takes. */
  restLatencyMs: number;
  port: number;
}

const GUILDS_PER_SHARD = 1_000;

const DEFAULTS: SandboxOptions = {
  guilds: 100,
  channelsPerGuild: 3,
  membersPerGuild: 5,
  shards: 1,
  minShards: 1,
  maxConcurrency: 1,
  identifyIntervalMs: 5_000,
  sessionStartTotal: 1_000,
  sessionStartRemaining: 1_000,
  heartbeatIntervalMs: 41_250,
  rate: 0,
  resumeBuffer: 3_500,
  resumeWindowMs: 180_000,
  disallowedIntents: 0,
  token: null,
  restPerSecond: 0,
  restLimits: null,
  restLatencyMs: 0,
  port: 0,
};

export function withDefaults(options: Partial<SandboxOptions>): SandboxOptions {
  const guilds = options.guilds ?? DEFAULTS.guilds;
  const total = options.sessionStartTotal ?? DEFAULTS.sessionStartTotal;
  return {
    ...DEFAULTS,
    shards: Math.max(1, Math.ceil(guilds / GUILDS_PER_SHARD)),
    sessionStartRemaining: total,
    ...options,
  };
}
