import type { Sample } from '../../ipc/messages';
import type { HandoffStep } from '../handoff/replace';

export type ClusterState =
  | 'waiting'
  | 'booting'
  | 'starting'
  | 'ready'
  | 'degraded'
  | 'hung'
  | 'backoff'
  | 'crash-loop'
  | 'fatal'
  | 'stopping'
  | 'stopped';

/** What `status` shows of a cluster. */
export interface ObservedCluster {
  id: number;
  pid: number | null;
  state: ClusterState;
  shards: readonly number[];
  release: string;
  restarts: number;
  sample: Sample | null;
  cpuPercent: number | null;
  uptimeMs: number | null;
  agent: boolean | null;
  adopted: boolean;
  guilds: number;
  lastExit: string | null;
  retryAt: number | null;
  message: string | null;
  notices: string[];
  /** Where its replacement by another process stands; null when none is under way. */
  handoff: HandoffStep | null;
}
