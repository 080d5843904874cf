import type { DataSample } from './data-sample';
import type { BotCheckSample } from './health-sample';

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
  handoff?: HandoffRegistry;
}
