import { GAP_UNKNOWN, type HandoffGap } from '../../ipc/messages';
import type { ReplaceOutcome } from '../../sharding/handoff/replace';
import type { RolloutEnd, RolloutKind } from '../events';

/** Durations in ms. Those that were set when the rollout began hold to its end. */
export interface RolloutSettings {
  /** Clusters that are replaced at the same time, after the canary. */
  batch: number;
  /** Watched for so long after a batch, before the next. */
  pauseMs: number;
  /** Watched for so long after the canary and after the last batch. */
  stabilityMs: number;
  /** A new process that is not ready in this time is not good. */
  readyTimeoutMs: number;
  /** Bring moved clusters back when the new release is not good. */
  rollBack: boolean;
}

export type ClusterStep =
  | 'waiting' // runs the old release
  | 'replacing'
  | 'replaced' // runs the new release
  | 'returning'
  | 'returned'; // runs the old release again

export interface RolloutCluster extends HandoffGap {
  id: number;
  /** The release to which it goes back. */
  from: string;
  step: ClusterStep;
  how: ReplaceOutcome['how'] | null;
  identifies: number;
}

/** Everything there is to know about a rollout; on disk, so that the next supervisor goes on with it. */
export interface RolloutState {
  id: string;
  kind: RolloutKind;
  from: string;
  to: string;
  phase: 'running' | 'rolling-back' | RolloutEnd;
  paused: boolean;
  /** Why it was halted. */
  reason: string | null;
  byOperator: boolean;
  startedAt: number;
  endedAt: number | null;
  settings: RolloutSettings;
  /** Ids, the canary first. */
  batches: readonly (readonly number[])[];
  /** Index of the batch that is under way. */
  at: number;
  /** The batch was replaced and has been watched for its time. */
  watched: boolean;
  clusters: readonly RolloutCluster[];
}

export function isOver({ phase }: Pick<RolloutState, 'phase'>): boolean {
  return phase !== 'running' && phase !== 'rolling-back';
}

export interface NewRollout {
  id: string;
  kind: RolloutKind;
  from: string;
  to: string;
  settings: RolloutSettings;
  batches: readonly (readonly number[])[];
  clusters: readonly { id: number; release: string }[];
  now: number;
}

export function newRollout({ clusters, now, ...options }: NewRollout): RolloutState {
  return {
    ...options,
    phase: 'running',
    paused: false,
    reason: null,
    byOperator: false,
    startedAt: now,
    endedAt: null,
    at: 0,
    watched: false,
    clusters: clusters.map(({ id, release }) => {
      return { id, from: release, step: 'waiting', how: null, ...GAP_UNKNOWN, identifies: 0 };
    }),
  };
}

/** The release that a cluster belongs to; null: it has no part in the rollout. */
export function releaseOf({ clusters, to }: Pick<RolloutState, 'clusters' | 'to'>, id: number): string | null {
  const cluster = clusters.find((one) => one.id === id);
  if (cluster === undefined) return null;
  return cluster.step === 'replaced' || cluster.step === 'returning' ? to : cluster.from;
}

/** The state with one cluster changed. */
export function withCluster(state: RolloutState, id: number, change: Partial<RolloutCluster>): RolloutState {
  return { ...state, clusters: state.clusters.map((one) => (one.id === id ? { ...one, ...change } : one)) };
}

/** Clusters that run, or are about to run, the new release. */
export function moved({ clusters }: Pick<RolloutState, 'clusters'>): number[] {
  return clusters.filter(({ step }) => step === 'replaced' || step === 'returning').map(({ id }) => id);
}
