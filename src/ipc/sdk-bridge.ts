import type { DataSample } from './data-sample';
import type { BotCheckSample } from './health-sample';
import type { DataRemedy, Degradation, RemedyOutcome } from './remedies';

/**
 * What the agent gives to the SDK in the same process. The bot's copy of botctl and the supervisor's are different
 * modules, so they meet under a registered symbol.
 */
export const SDK_BRIDGE = Symbol.for('botctl.agent');

/** Raised whenever the bridge changes its meaning; an SDK of another version behaves as without botctl. */
export const SDK_BRIDGE_VERSION = 2;

export interface ClusterInfo {
  id: number;
  shardIds: readonly number[];
  totalShards: number;
  release: string;
}

export type StopHandler = () => unknown;

/** One value that the bot records. */
export interface BotMetric {
  kind: 'counter' | 'gauge' | 'distribution';
  name: string;
  value: number;
  tags?: Record<string, unknown> | undefined;
}

export interface MetricSink {
  /** Never throws. */
  record(metric: BotMetric): void;
}

/** How much memory the process has when it is asked to give some back. Bytes. */
export interface MemoryPressure {
  rssBytes: number;
  heapUsedBytes: number;
  heapLimitBytes: number;
}

export type MemoryPressureHandler = (pressure: MemoryPressure) => unknown;

/** Why a process is about to end, and how long it has, ms. */
export interface Drain {
  reason: 'stop' | 'handoff';
  deadlineMs: number;
}

export type DrainHandler = (drain: Drain) => unknown;

/** A dependency has failed, or serves again. */
export type DegradedHandler = (change: Degradation & { degraded: boolean }) => unknown;

/** The agent's side of `lifecycle`. */
export interface LifecycleBridge {
  memoryPressureHandlers: Set<MemoryPressureHandler>;
  drainHandlers: Set<DrainHandler>;
  degradedHandlers: Set<DegradedHandler>;
  /** Reasons by name. */
  degradations(): ReadonlyMap<string, string>;
  /** A circuit breaker of this process has opened; null: it has closed. */
  report(name: string, reason: string | null): void;
}

/** What the bot gives to the process that takes over from this one. */
export interface HandoffHooks {
  /** The state, as JSON can carry it; undefined: none. */
  export(): unknown;
  import(state: unknown): unknown;
}

export interface HandoffRegistry {
  /** @returns takes the hooks back @throws RangeError when the name is taken */
  register(name: string, hooks: HandoffHooks): () => void;
}

export interface SdkBridge {
  version: number;
  cluster: ClusterInfo;
  stopHandlers: Set<StopHandler>;
  /** Set by the SDK once the bot uses its databases. */
  dataSample: (() => DataSample | null) | null;
  /** Set by the SDK once the bot has checks of its own. */
  healthSample?: (() => BotCheckSample[]) | null;
  /** Absent in agents that do not know it yet. */
  metrics?: MetricSink;
  /** Absent in agents that do not know it yet. */
  lifecycle?: LifecycleBridge;
  /** Set by the SDK once the bot uses its databases. */
  dataRemedy?: ((remedy: DataRemedy) => Promise<RemedyOutcome>) | null;
  /** Set by the SDK: empties its cache in memory, and says how many entries that were. */
  dropDataCache?: (() => number) | null;
  handoff?: HandoffRegistry;
}
