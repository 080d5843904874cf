/** Label names and values. */
export type Labels = Readonly<Record<string, string>>;

/** What a process has counted and measured, in base units (seconds, bytes). Counters since the agent's start. */
export interface Readings {
  /** Only what has changed since the last sample that was sent on this connection; values are absolute. */
  counters: ScalarReading[];
  gauges: ScalarReading[];
  sketches: SketchReading[];
}

export interface ScalarReading {
  name: string;
  labels?: Labels;
  value: number;
}

/** Counts per bucket of the scale in bucket-scale.ts. */
export interface SketchReading {
  name: string;
  labels?: Labels;
  sum: number;
  /** Bucket, count, bucket, count, …: only those buckets that have changed; counts are absolute. */
  buckets: number[];
}

/** Metrics that the agent itself reports. What the bot adds begins with `bot_`. */
export type AgentCounter =
  | 'events_total'
  | 'interactions_total'
  | 'interaction_failures_total'
  | 'messages_total'
  | 'message_replies_total'
  | 'message_reply_failures_total'
  | 'rest_requests_total'
  | 'cluster_rest_requests_total'
  | 'rest_rate_limited_total'
  | 'rest_rate_limit_waits_total'
  | 'rest_invalid_requests_total'
  | 'rest_circuit_refused_total'
  | 'metrics_folded_total';

export type AgentGauge = 'discord_cache_entries' | 'members' | 'rest_circuit_open';

export type AgentSketch =
  | 'interaction_latency_seconds'
  | 'interaction_response_seconds'
  | 'message_latency_seconds'
  | 'message_response_seconds'
  | 'rest_request_duration_seconds'
  | 'gc_pause_seconds';

/** What a bot's own metrics begin with. */
export const BOT_PREFIX = 'bot_';
/** The value of all labels of what is beyond the bounds. */
export const OTHER = 'other';
