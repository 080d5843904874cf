import type { DroppedState, HandoffGap, NoticeCode, Sample, ShardPhase } from '../ipc/messages';
import type { ConnectGateView } from './connect/connect-gate';
import type { HandoffStep } from './handoff/replace';
import type { OutputLine } from './cluster/output';

/** What happens in the master, in the order in which it happens. Durations in ms. */
export type MasterEvent =
  | { type: 'cluster.spawned'; cluster: number; pid: number; incarnation: string; resumes: boolean }
  | { type: 'cluster.adopted'; cluster: number; pid: number; incarnation: string }
  | { type: 'cluster.ready'; cluster: number; tookMs: number }
  | { type: 'cluster.hung'; cluster: number; silentMs: number }
  | { type: 'cluster.exited'; cluster: number; pid: number; reason: string; expected: boolean }
  | { type: 'cluster.retry'; cluster: number; state: 'backoff' | 'crash-loop'; delayMs: number; deaths: number }
  | { type: 'cluster.fatal'; cluster: number; closeCode: number; message: string }
  | { type: 'cluster.notice'; cluster: number; code: NoticeCode; text: string }
  | { type: 'cluster.notice-over'; cluster: number; code: NoticeCode }
  | { type: 'cluster.parked'; cluster: number; sessions: number; snapshot: boolean; tookMs: number }
  /** `pid`: of the successor. */
  | { type: 'cluster.handoff'; cluster: number; step: HandoffStep; pid: number }
  /** The successor is the cluster now. */
  | ({
      type: 'cluster.handed-over';
      cluster: number;
      pid: number;
      incarnation: string;
      predecessor: number;
      dropped: DroppedState | null;
    } & HandoffGap)
  /** The successor is dead, the predecessor goes on. */
  | { type: 'cluster.handoff-failed'; cluster: number; reason: string }
  /** Clusters hand their shards over to others, which group them anew. */
  | { type: 'clusters.regroup'; from: number[]; to: number[]; step: HandoffStep }
  /** A cluster that has taken its shards from others serves now. */
  | ({
      type: 'cluster.formed';
      cluster: number;
      pid: number;
      incarnation: string;
      shards: number;
      dropped: DroppedState | null;
    } & HandoffGap)
  /** Its shards are other clusters' now, and its processes have ended; none has its number any more. */
  | { type: 'cluster.dissolved'; cluster: number }
  /** A process that has handed over has ended. */
  | { type: 'cluster.retired'; cluster: number; pid: number }
  | { type: 'cluster.output'; cluster: number; line: OutputLine }
  | { type: 'cluster.output-skipped'; cluster: number; bytes: number }
  | { type: 'cluster.sample'; cluster: number; incarnation: string; adopted: boolean; sample: Sample }
  | { type: 'shard.phase'; cluster: number; shard: number; phase: ShardPhase; closeCode?: number; replayed?: number }
  | { type: 'gateway.gate'; view: ConnectGateView }
  /** An attempt to connect; `reason` null: it got its HELLO. */
  | { type: 'gateway.attempt'; shard: number; reason: string | null }
  | { type: 'identify.saved'; what: string }
  | { type: 'identify.blocked'; reason: string }
  | { type: 'agent.refused'; reason: string; pid: number | null };

export type MasterEventListener = (event: MasterEvent) => void;
