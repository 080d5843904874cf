import type { AgentCounter, AgentGauge, AgentSketch } from '../ipc/readings';

export type Kind = 'counter' | 'gauge' | 'histogram';

/** Base units, as in the names. */
export type Unit = 'seconds' | 'bytes' | 'count' | 'ratio' | 'flag';

/** How gauges of several series become one figure. Counters and histograms are added up. */
export type Merge = 'sum' | 'mean' | 'max' | 'min';

/** What is known of a metric beside its values. */
export interface Family {
  /** As in `botctl metrics NAME`; Prometheus sees it with `botctl_` before it. */
  name: string;
  kind: Kind;
  unit: Unit;
  help: string;
  /** Names of the labels; what a process reports gets its cluster where that is one of them. */
  labels: readonly string[];
  merge: Merge;
  /** false: of a gauge only the mean of each minute is kept, not its extremes. */
  extremes: boolean;
}

type Entry = Pick<Family, 'kind' | 'unit' | 'help'> & Partial<Pick<Family, 'labels' | 'merge' | 'extremes'>>;

const CLUSTER = ['cluster'] as const;
const SHARD = ['cluster', 'shard'] as const;

function counter(help: string, labels: readonly string[] = [], unit: Unit = 'count'): Entry {
  return { kind: 'counter', unit, help, labels };
}

function gauge(help: string, unit: Unit, labels: readonly string[] = [], more: Partial<Entry> = {}): Entry {
  return { kind: 'gauge', unit, help, labels, ...more };
}

function seconds(help: string, labels: readonly string[]): Entry {
  return { kind: 'histogram', unit: 'seconds', help, labels };
}

/** Reported by the agents under these names. */
const AGENT: Record<AgentCounter | AgentGauge | AgentSketch, Entry> = {
  events_total: counter('Gateway events that have come, by type.', ['type']),
  interactions_total: counter('Interactions that have come, by kind.', ['cluster', 'kind']),
  interaction_failures_total: counter(
    'Interactions without a response within 3.5 seconds, whose response Discord refused, or that a killed process had.',
    ['cluster', 'reason'],
  ),
  interaction_response_seconds: seconds('Time from the receipt of an interaction to its first response.', CLUSTER),
  interaction_latency_seconds: seconds(
    "Time from the making of an interaction at Discord to its first response, by this machine's clock.",
    CLUSTER,
  ),
  messages_total: counter('Messages that have come.', CLUSTER),
  message_replies_total: counter('Messages that were replied to within a minute.', CLUSTER),
  message_reply_failures_total: counter('Replies to messages that Discord refused.', CLUSTER),
  message_response_seconds: seconds('Time from the receipt of a message to the reply.', CLUSTER),
  message_latency_seconds: seconds(
    "Time from the making of a message at Discord to the reply, by this machine's clock.",
    CLUSTER,
  ),
  rest_requests_total: counter('REST calls, by kind and status.', ['route', 'status']),
  rest_request_duration_seconds: seconds('Time of REST calls without waits for rate limits.', ['route']),
  cluster_rest_requests_total: counter('REST calls, by cluster and status.', ['cluster', 'status']),
  rest_rate_limited_total: counter('REST calls answered with 429, by scope.', ['cluster', 'scope']),
  rest_rate_limit_waits_total: counter('REST calls held back by the bot for a rate limit.', ['cluster', 'scope']),
  rest_invalid_requests_total: counter('REST calls answered with 401, 403 or 429, which lead to a ban.', CLUSTER),
  rest_circuit_open: gauge(
    'Processes that send no calls of this kind, since Discord fails at most of them.',
    'count',
    ['cluster', 'route'],
    { extremes: false },
  ),
  rest_circuit_refused_total: counter('Calls that were not sent for that.', ['route']),
  gc_pause_seconds: seconds('Pauses of the garbage collector.', ['cluster', 'kind']),
  discord_cache_entries: gauge('Entries in the caches of discord.js.', 'count', ['cluster', 'kind'], {
    extremes: false,
  }),
  members: gauge('Members of all guilds, as Discord counts them.', 'count', CLUSTER, { extremes: false }),
  metrics_folded_total: counter('Records whose labels were too many, or that could not be recorded.', CLUSTER),
};

/** From the fixed part of each sample. */
const SAMPLE = {
  cluster_resident_memory_bytes: gauge('Resident memory of the process.', 'bytes', CLUSTER),
  cluster_heap_used_bytes: gauge('JavaScript heap in use.', 'bytes', CLUSTER),
  cluster_heap_limit_bytes: gauge('Size at which the JavaScript heap is full.', 'bytes', CLUSTER, { extremes: false }),
  cluster_cpu_seconds_total: counter('CPU time.', ['cluster', 'mode'], 'seconds'),
  cluster_event_loop_delay_mean_seconds: gauge('Mean delay of the event loop.', 'seconds', CLUSTER, { merge: 'mean' }),
  cluster_event_loop_delay_p99_seconds: gauge('99th percentile of the delay of the event loop.', 'seconds', CLUSTER, {
    merge: 'max',
  }),
  cluster_event_loop_delay_max_seconds: gauge('Longest delay of the event loop.', 'seconds', CLUSTER, { merge: 'max' }),
  unhandled_rejections_total: counter('Rejections that the bot did not handle.', CLUSTER),
  shard_events_total: counter('Gateway events that have come.', SHARD),
  shard_identifies_total: counter('IDENTIFYs sent.', SHARD),
  shard_resumes_total: counter('Sessions resumed.', SHARD),
  shard_disconnects_total: counter('Gateway connections closed.', SHARD),
} satisfies Record<string, Entry>;

/** From the pools and caches that the bot's processes have through the SDK. */
const DATA = {
  pool_connections: gauge('Connections to a database shard.', 'count', ['database', 'state']),
  pool_connections_limit: gauge('Connections to a database shard that the pools may open.', 'count', ['database'], {
    extremes: false,
  }),
  pool_waiting: gauge('Callers that wait for a connection.', 'count', ['database']),
  pool_acquire_p99_seconds: gauge('Wait for a connection, 99th percentile of the slowest process.', 'seconds', [
    'database',
  ]),
  pool_statements_total: counter('Statements sent.', ['database']),
  pool_acquires_total: counter('Connections lent.', ['database']),
  pool_releases_total: counter('Connections given back.', ['database']),
  pool_connections_opened_total: counter('Connections opened.', ['database']),
  pool_connections_closed_total: counter('Connections closed.', ['database']),
  pool_acquire_timeouts_total: counter('Callers that got no connection in time.', ['database']),
  pool_errors_total: counter('Connections that broke.', ['database']),
  pool_refused_total: counter('Statements that were not sent, since the database shard does not answer.', ['database']),
  circuit_open: gauge('Processes that leave a dependency alone, since it does not answer.', 'count', ['dependency'], {
    extremes: false,
  }),
  cache_hits_total: counter('Reads that a level of the cache answered.', ['level']),
  cache_misses_total: counter('Reads that a level of the cache could not answer.', ['level']),
  cache_errors_total: counter('Reads at which a level of the cache failed.', ['level']),
  cache_loads_total: counter("Calls of the bot's own loaders.", []),
  cache_load_errors_total: counter("Calls of the bot's own loaders that failed.", []),
  cache_evictions_total: counter('Entries dropped from memory for want of space.', []),
  cache_entries: gauge('Entries in memory, over all processes.', 'count'),
  cache_memory_bytes: gauge('Size of the entries in memory, over all processes.', 'bytes'),
  cache_redis_bypassed: gauge('Processes that leave Redis alone because it does not answer.', 'count'),
  deferred_writes: gauge('Writes that wait on disk.', 'count'),
  deferred_bytes: gauge('Size of the writes that wait on disk.', 'bytes'),
  deferred_oldest_age_seconds: gauge('Age of the oldest write that waits on disk.', 'seconds', [], { merge: 'max' }),
  deferred_dead_letters: gauge('Writes that were given up.', 'count'),
} satisfies Record<string, Entry>;

/** What the supervisor knows itself. */
const SUPERVISOR = {
  shard_ready: gauge('Is the shard ready, by its heartbeats and events?', 'flag', SHARD),
  shard_ping_seconds: gauge('Round trip of the last heartbeat, while the shard is ready.', 'seconds', SHARD, {
    merge: 'mean',
  }),
  shard_guilds: gauge('Guilds of the shard.', 'count', SHARD, { extremes: false }),
  shard_unavailable_guilds: gauge('Guilds that Discord has taken away for an outage.', 'count', SHARD, {
    extremes: false,
  }),
  shards: gauge('Shards, by state.', 'count', ['state'], { extremes: false }),
  clusters: gauge('Clusters, by state.', 'count', ['state'], { extremes: false }),
  cluster_ready: gauge('Are all shards of the cluster ready?', 'flag', CLUSTER, { extremes: false }),
  cluster_restarts_total: counter('Processes started again because the last one died.', CLUSTER),
  cluster_handoffs_total: counter('Processes that others have succeeded by handoff, or were to.', [
    ...CLUSTER,
    'outcome',
  ]),
  cluster_handoff_gap_seconds: gauge('How long no event was dispatched in the last handoff.', 'seconds', CLUSTER),
  cluster_handoff_catch_up_seconds: gauge('How long events came late in the last handoff.', 'seconds', CLUSTER),
  cluster_hangs_total: counter('Processes ended because their event loop did not answer.', CLUSTER),
  identify_remaining: gauge("What is left of Discord's daily limit of IDENTIFYs.", 'count', [], { merge: 'min' }),
  identify_limit: gauge("Discord's daily limit of IDENTIFYs.", 'count', [], { extremes: false }),
  identify_reserve: gauge('IDENTIFYs kept for the operator.', 'count', [], { extremes: false }),
  identify_queue_length: gauge('Shards that wait for leave to IDENTIFY.', 'count'),
  gateway_passing: gauge('May shards connect, or do all back off together?', 'flag', [], { merge: 'min' }),
  rest_guard_up: gauge('Does the REST guard answer?', 'flag', [], { merge: 'min' }),
  rest_guard_queue_length: gauge('REST calls that wait in the guard.', 'count'),
  rest_guard_in_flight: gauge("REST calls that wait for Discord's answer.", 'count'),
  rest_guard_global_remaining: gauge('What is left of the global limit of this second.', 'count', [], { merge: 'min' }),
  rest_guard_invalid_requests: gauge('Calls that Discord refused (401, 403, 429) in the last 10 minutes.', 'count'),
  rest_guard_invalid_limit: gauge('Refused calls in 10 minutes at which Discord bans the address.', 'count', [], {
    extremes: false,
  }),
  rest_guard_banned: gauge('Has Discord banned the address?', 'flag', [], { merge: 'max' }),
  rest_guard_unauthorized: gauge('Has Discord refused the token?', 'flag', [], { merge: 'max' }),
  rest_guard_routes_braked: gauge('Routes that are slowed or stopped since Discord refuses them.', 'count', ['level']),
  rest_guard_latency_p99_seconds: gauge(
    "Time to Discord's answer, 99th percentile, by kind of route.",
    'seconds',
    ['route'],
    {
      merge: 'max',
    },
  ),
  rest_guard_wait_p99_seconds: gauge(
    'Time in the queues of the guard, 99th percentile, by kind of route.',
    'seconds',
    ['route'],
    {
      merge: 'max',
    },
  ),
  rest_guard_resident_memory_bytes: gauge('Resident memory of the REST guard.', 'bytes'),
  rest_guard_requests_total: counter('REST calls that the guard sent to Discord.', []),
  rest_guard_answers_total: counter('Answers of Discord, by kind of route and status.', ['route', 'status']),
  rest_guard_rate_limited_total: counter('Answers 429 of Discord, by scope.', ['scope']),
  rest_guard_own_answers_total: counter('Answers that the guard gave by itself, by reason.', ['reason']),
  rest_guard_cancelled_total: counter('Calls whose caller went away before the answer.', []),
  rest_guard_failures_total: counter('Connections to Discord that failed, or ended before an answer.', []),
  incidents_open: gauge('Incidents that are not resolved, by type and severity.', 'count', ['type', 'severity'], {
    extremes: false,
  }),
  incidents_explained: gauge('Incidents that follow from another one.', 'count', [], { extremes: false }),
  incidents_total: counter('Incidents that were opened.', ['type']),
  incident_notifications_total: counter('Messages about incidents, by target and outcome.', ['target', 'outcome']),
  capacity_used_ratio: gauge('Share of a limit that is usually in use.', 'ratio', ['resource', 'scope'], {
    merge: 'max',
    extremes: false,
  }),
  capacity_full_timestamp_seconds: gauge('When a limit is met, if things go on so.', 'seconds', ['resource', 'scope'], {
    merge: 'min',
    extremes: false,
  }),
  capacity_recommendations: gauge('Changes to make before a limit is met.', 'count', [], { extremes: false }),
  postgres_up: gauge('Does Postgres answer?', 'flag', [], { merge: 'min' }),
  redis_up: gauge('Does Redis answer?', 'flag', [], { merge: 'min' }),
  recovery_actions_total: counter('Steps that recovery took, by incident type and outcome.', [
    'type',
    'step',
    'outcome',
  ]),
  supervisor_resident_memory_bytes: gauge('Resident memory of the supervisor.', 'bytes'),
  supervisor_cpu_seconds_total: counter('CPU time of the supervisor.', ['mode'], 'seconds'),
  supervisor_event_loop_delay_p99_seconds: gauge(
    "99th percentile of the delay of the supervisor's event loop.",
    'seconds',
    [],
    { merge: 'max' },
  ),
  metrics_series: gauge('Series in the store.', 'count', [], { extremes: false }),
  metrics_memory_bytes: gauge('Memory of the store.', 'bytes', [], { extremes: false }),
  metrics_retention_seconds: gauge('How far the store reaches back at most.', 'seconds', [], { extremes: false }),
  metrics_samples_total: counter('Samples taken from the agents.', []),
  metrics_samples_dropped_total: counter('Samples that came late or twice.', []),
  metrics_series_folded_total: counter('Values put into the series other, since there were too many series.', []),
} satisfies Record<string, Entry>;

/** Care for the databases. */
const MAINTENANCE = {
  maintenance_running: gauge('Is maintenance of the databases under way?', 'flag', [], { merge: 'max' }),
  maintenance_age_seconds: gauge('Time since maintenance last ended.', 'seconds', [], {
    merge: 'min',
    extremes: false,
  }),
  maintenance_failing_tasks: gauge('Tasks of maintenance whose last run failed.', 'count', [], { merge: 'max' }),
  maintenance_runs_total: counter('Runs of maintenance, by outcome.', ['outcome']),
  maintenance_steps_total: counter('Steps of maintenance, by task and outcome.', ['task', 'outcome']),
  backups: gauge('Backups in the target.', 'count', [], { extremes: false }),
  backup_age_seconds: gauge('Age of the newest backup that is whole.', 'seconds', [], {
    merge: 'min',
    extremes: false,
  }),
  backup_size_bytes: gauge('Size of the newest backup.', 'bytes', [], { extremes: false }),
  backup_verified: gauge('Was the newest backup restored for a trial without fault?', 'flag', [], { merge: 'min' }),
} satisfies Record<string, Entry>;

const ALL = { ...AGENT, ...SAMPLE, ...DATA, ...SUPERVISOR, ...MAINTENANCE };
type BuiltIn = typeof ALL;

/** Names of the metrics that botctl knows itself. */
export type MetricName = keyof BuiltIn;

export const CATALOGUE: readonly Family[] = Object.entries<Entry>(ALL).map(([name, entry]) => ({
  name,
  labels: [],
  merge: 'sum',
  extremes: true,
  ...entry,
}));

/** A metric that the bot records through the SDK. */
export function botFamily(name: string, kind: Kind): Family {
  return {
    name,
    kind,
    unit: /_seconds(_total)?$/.test(name) ? 'seconds' : /_bytes(_total)?$/.test(name) ? 'bytes' : 'count',
    help: 'Recorded by the bot.',
    // Its tags are not known beforehand; a gauge of each process stands for itself.
    labels: kind === 'gauge' ? ['cluster'] : [],
    merge: 'sum',
    extremes: true,
  };
}
