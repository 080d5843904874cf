/**
 * What the other commands may ask of a running supervisor: HTTP over the control socket (a Unix socket, 0600 in a 0700
 * folder). Bodies are JSON. Errors are `ApiError` with a proper status code.
 */

import type { CapacityReport, CapacityStatus } from '../capacity/report';
import type { GuardSnapshot } from '../rest-guard/stats';
import type { DeployHandlers, DeployStatus } from './deploy-contract';
import type { ScaleHandlers } from './scale-contract';
import type { OutageStatus, RecoverRequest, RecoveryOverview } from './recovery-contract';
import type { IncidentHandlers, IncidentStatus } from './incidents';
import type { MaintainRequest, MaintenanceOverview, MaintenanceStatus } from './maintenance-contract';
import type { Progress } from './progress';

export { ControlError } from './control-error';
export type { Progress } from './progress';

export const CONTROL_API_VERSION = 1;

export type SupervisorState = 'starting' | 'running' | 'stopping' | 'dead' | 'deaf';

export type ClusterState =
  | 'waiting' // not started yet
  | 'booting' // process runs, agent not attached or login() not called
  | 'starting' // shards are connecting
  | 'ready'
  | 'degraded' // runs, but not all shards are ready
  | 'hung' // event loop does not answer
  | 'backoff' // died, will be started again at `retryAt`
  | 'crash-loop' // died too often, retried slowly
  | 'fatal' // a cause that a restart cannot cure; held until config or token changes
  | 'stopping'
  | 'stopped';

/** From evidence: age of the last heartbeat ack and the last event, not from flags that stick. */
export type ShardState =
  | 'waiting'
  | 'connecting'
  | 'queued'
  | 'identifying'
  | 'guilds'
  | 'resuming'
  | 'ready'
  | 'stale' // says ready, but no heartbeat ack for longer than two intervals
  | 'disconnected'
  | 'dead';

export interface ClusterStatus {
  id: number;
  pid: number | null;
  state: ClusterState;
  shards: number[];
  release: string;
  restarts: number;
  rssBytes: number | null;
  cpuPercent: number | null;
  loopDelayP99Ms: number | null;
  uptimeSeconds: number | null;
  /** false: runs without the agent's hook (fewer figures, no session handoff); null: not known yet. */
  agent: boolean | null;
  adopted: boolean;
  guilds: number;
  /** How the previous process ended, e.g. "exit code 1", "SIGKILL", "hung for 30 s". */
  lastExit: string | null;
  /** When the next attempt is due, ms since the epoch (states backoff and crash-loop). */
  retryAt: number | null;
  /** One sentence for the operator: why it is not ready and what to do. */
  message: string | null;
  notices: string[];
  /** Where the replacement of its process by another one stands; null when none is under way. */
  handoff: HandoffStep | null;
}

/** See sharding/handoff. */
export type HandoffStep =
  'booting' | 'copying' | 'connecting' | 'cutting' | 'resuming' | 'draining' | 'stopping' | 'starting';

export interface ShardStatus {
  id: number;
  cluster: number;
  state: ShardState;
  pingMs: number | null;
  lastAckAgeMs: number | null;
  lastEventAgeMs: number | null;
  guilds: number;
  /** Those of them that Discord has taken away for the time of an outage. */
  unavailableGuilds: number;
  resumes: number;
  identifies: number;
  closes: number;
  lastCloseCode: number | null;
}

export interface IdentifyStatus {
  /** Discord's daily limit and what is left of it, by our ledger reconciled with /gateway/bot; null before the first answer. */
  total: number | null;
  remaining: number | null;
  /** Kept back for `botctl restart`; ordinary identifies wait when `remaining` reaches it. */
  reserve: number | null;
  /** ms since the epoch. */
  resetAt: number | null;
  maxConcurrency: number | null;
  queued: number;
  /** Why nothing is granted at the moment, or null. */
  blocked: string | null;
}

export interface GatewayStatus {
  /** closed: connections pass; open: all shards back off together; probing: one connection is tried. */
  gate: 'passing' | 'backing-off' | 'probing';
  retryAt: number | null;
  reason: string | null;
}

export interface ServerStatus {
  kind: 'embedded' | 'external' | 'off';
  state: 'up' | 'down' | 'starting' | 'off';
  /** Host and port, never a password. */
  address: string | null;
  version: string | null;
  message: string | null;
}

export interface PostgresStatus extends ServerStatus {
  shards: number;
}

/** The limiter through which all clusters call Discord. */
export interface RestGuardStatus {
  /** down: the clusters call Discord directly. */
  state: 'up' | 'down';
  pid: number | null;
  restarts: number;
  message: string | null;
  /** null: no figures yet. */
  figures: GuardSnapshot | null;
}

export interface DatabaseShardStatus {
  shard: number;
  /** Host, port and database, never a password. */
  address: string;
  /** Buckets that are placed on it. */
  buckets: number;
  /** Guilds that are placed on it by themselves. */
  pinnedGuilds: number;
  /** Connections of all the bot's processes that use the SDK. */
  pools: PoolStatus;
}

/** Sums over processes; times are the worst. */
export interface PoolStatus {
  processes: number;
  max: number;
  total: number;
  idle: number;
  inUse: number;
  waiting: number;
  acquireTimeouts: number;
  errors: number;
  acquireP99Ms: number;
}

export interface MoveStatus {
  unit: string;
  from: number;
  to: number;
  phase: string;
  rows: number | null;
}

/** Sums over processes. */
export interface CacheStatus {
  processes: number;
  l1: { hits: number; misses: number; entries: number; bytes: number; evictions: number };
  /** open: left alone because it does not answer, in so many processes; null: there is no Redis. */
  l2: { hits: number; misses: number; errors: number; open: number } | null;
  l3: { hits: number; misses: number; errors: number };
  loads: number;
  loadErrors: number;
}

/** Writes that wait on disk, over all processes. */
export interface DeferredStatus {
  pending: number;
  bytes: number;
  oldestAgeMs: number | null;
  deadLetters: number;
}

export interface DataStatus {
  /** Why the database shards are not ready; null: they are. */
  problem: string | null;
  shards: DatabaseShardStatus[];
  /** The move that is under way. */
  move: MoveStatus | null;
  cache: CacheStatus | null;
  deferred: DeferredStatus | null;
}

/** unknown: not enough has been seen yet to tell. */
export type HealthState = 'unknown' | 'healthy' | 'unhealthy';

/** One health check over all its scopes (shards, clusters, …). Times are ms since the epoch. */
export interface HealthCheckStatus {
  name: string;
  /** The worst of its scopes. */
  state: HealthState;
  since: number;
  scopes: number;
  /** Scopes whose last look failed without making them unhealthy yet. */
  failing: number;
  unhealthy: number;
  /** Of the scope that is worst off. */
  message: string;
  /** What is unhealthy; the first few when it is much. */
  named: { scope: string; since: number; message: string }[];
}

export interface HealthStatus {
  state: HealthState;
  /** Begin of the last round; null: there was none yet. */
  roundAt: number | null;
  intervalMs: number;
  /** Worst first. */
  checks: HealthCheckStatus[];
}

/** What botctl does about what is wrong, or what it waits for. */
export interface StatusAction {
  /** Without its time: `Cluster 2 starts again`. */
  text: string;
  /** When it is due, ms since the epoch; null: now, or when something else happens. */
  at: number | null;
}

export interface Status {
  apiVersion: number;
  bot: { name: string; entry: string | null; totalShards: number | null };
  supervisor: {
    state: SupervisorState;
    pid: number | null;
    uptimeSeconds: number | null;
    version: string | null;
    rssBytes: number | null;
    message: string | null;
    /** Address of the status page, or null when http is off. */
    http: string | null;
    stateDir: string;
    sandbox: boolean;
  };
  clusters: ClusterStatus[];
  shards: ShardStatus[];
  identify: IdentifyStatus;
  gateway: GatewayStatus;
  /** Discord itself is out, by what many shards have met; null: it is not. */
  outage: OutageStatus | null;
  /** null: the clusters call Discord each by itself (`rest.guard: false`). */
  rest: RestGuardStatus | null;
  postgres: PostgresStatus;
  redis: ServerStatus;
  /** null: there are no database shards. */
  data: DataStatus | null;
  /** null: nothing is looked at, because the bot is not up yet or no longer. */
  health: HealthStatus | null;
  /** null: the bot is not up yet. */
  deploy: DeployStatus | null;
  /** Open ones that stand for themselves, the most severe first. */
  incidents: IncidentStatus[];
  /** null: nothing was looked ahead for yet. */
  capacity: CapacityStatus | null;
  /** null: there are no database shards, or they are not up yet. */
  maintenance: MaintenanceStatus | null;
  /** well: all shards ready, nothing unhealthy; degraded: something is not so; down: no supervisor. Decides the exit code 0, 1, 3. */
  verdict: 'well' | 'degraded' | 'down';
  /** What is wrong, most important first; one sentence each. Empty when well. */
  problems: string[];
  /** What is being done about it, most important first. */
  actions: StatusAction[];
}

export interface RestartRequest {
  /** All clusters, one after the other, when neither is given. */
  cluster?: number;
  shard?: number;
  /** Stop the old process before the new one starts, in place of a handoff. */
  cold?: boolean;
}

/** A guild, or with `abort` the one whose move is taken back. Ids are text. */
export interface MoveRequest {
  guild: string;
  to: number;
}

export interface RebalanceRequest {
  /** Database shards that shall hold nothing afterwards. */
  drain: number[];
  /** Only say what would be done. */
  dryRun: boolean;
}

/** What `botctl db status` shows beyond the status. */
export interface DbOverview {
  moves: {
    unit: string;
    from: number;
    to: number;
    state: string;
    rows: number | null;
    pauseMs: number | null;
    startedAt: string;
    message: string | null;
  }[];
  migrations: { name: string; shards: { shard: number; appliedAt: string | null; changed: boolean }[] }[];
}

/** Base units: seconds, bytes. A ratio is a share of 1, a flag 0 or 1. */
export type MetricUnit = 'seconds' | 'bytes' | 'count' | 'ratio' | 'flag';

export interface MetricSummary {
  name: string;
  kind: 'counter' | 'gauge' | 'histogram';
  unit: MetricUnit;
  help: string;
  labels: readonly string[];
  series: number;
  /** Statistics that it has; the first is taken when none is asked for. */
  stats: readonly string[];
}

export interface MetricList {
  retentionSeconds: number;
  metrics: readonly MetricSummary[];
}

/** Times in ms since the epoch. */
export interface MetricRange {
  name: string;
  kind: MetricSummary['kind'];
  unit: MetricUnit;
  help: string;
  stat: string;
  from: number;
  to: number;
  stepMs: number;
  /** How many series there are, also when `top` leaves some out. */
  total: number;
  series: readonly {
    labels: Readonly<Record<string, string>>;
    /** Over the whole time; null: nothing was measured. */
    value: number | null;
    /** One per step, the first begins at `from`. */
    points: readonly (number | null)[];
  }[];
}

export interface MetricLatest {
  name: string;
  latest: readonly { labels: Readonly<Record<string, string>>; value: number }[];
}

export interface ApiError {
  error: string;
  hint?: string;
}

/** Routes; `progress` routes answer with newline-delimited `Progress`. */
export interface ControlHandlers extends DeployHandlers, ScaleHandlers {
  incidents: IncidentHandlers;
  /** GET /v1/status */
  status(): Status;
  /** POST /v1/stop: begins the graceful stop; progress until the process is about to exit. */
  stop(onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/restart */
  restart(request: RestartRequest, onProgress: (line: Progress) => void): Promise<void>;
  /**
   * GET /v1/metrics: without a `name` the list, with one its values. `since` (1h) or `from`, `to`; `step` (5m, all); `by`
   * (labels with commas; empty: all in one); `label.NAME=VALUE`; `stat`; `top`; `latest`.
   */
  metrics(params: URLSearchParams): MetricList | MetricRange | MetricLatest;
  /** GET /v1/capacity */
  capacity(): Promise<CapacityReport>;
  /** GET /v1/db */
  dbOverview(): Promise<DbOverview>;
  /** POST /v1/db/move */
  moveGuild(request: MoveRequest, onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/db/abort-move */
  abortMove(request: Pick<MoveRequest, 'guild'>, onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/db/rebalance */
  rebalance(request: RebalanceRequest, onProgress: (line: Progress) => void): Promise<void>;
  /** GET /v1/recovery */
  recovery(): RecoveryOverview;
  /** POST /v1/recovery */
  recover(request: RecoverRequest, onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/recovery/end-outage */
  endOutage(): void;
  /** POST /v1/db/migrate */
  migrate(onProgress: (line: Progress) => void): Promise<void>;
  /** GET /v1/maintenance */
  maintenance(): Promise<MaintenanceOverview>;
  /** POST /v1/maintain */
  maintain(request: MaintainRequest, onProgress: (line: Progress) => void): Promise<void>;
}

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** The command ran and the answer is bad: degraded, failed, refused. */
  failed: 1,
  /** Wrong usage or bad configuration. */
  usage: 2,
  /** No supervisor runs. */
  notRunning: 3,
} as const;
