import type { HandoffGap } from '../ipc/messages';
import type { ReplaceOutcome } from '../sharding/handoff/replace';

/** What a rollout is for. reload: the same release with a new config. */
export type RolloutKind = 'deploy' | 'rollback' | 'reload';

/** How a rollout ended. `failed`: halted, and not all clusters could be brought back. */
export type RolloutEnd = 'done' | 'rolled-back' | 'halted' | 'failed';

/** What happens in a rollout, for logs, notifications and incidents. `rollout` names it. Durations in ms. */
export type DeployEvent =
  | { type: 'deploy.refused'; to: string; reason: string }
  | { type: 'deploy.started'; rollout: string; kind: RolloutKind; from: string; to: string; clusters: number }
  | ({
      type: 'deploy.cluster';
      rollout: string;
      cluster: number;
      release: string;
      how: ReplaceOutcome['how'];
      reason: string | null;
      identifies: number;
      tookMs: number;
    } & HandoffGap)
  | { type: 'deploy.stable'; rollout: string; clusters: readonly number[]; watchedMs: number }
  | { type: 'deploy.paused'; rollout: string }
  | { type: 'deploy.resumed'; rollout: string; afterRestart: boolean }
  /** The new release is not good (or somebody said stop): what was moved goes back, if `rollsBack`. */
  | { type: 'deploy.halted'; rollout: string; from: string; to: string; reason: string; rollsBack: boolean }
  | {
      type: 'deploy.ended';
      rollout: string;
      kind: RolloutKind;
      from: string;
      to: string;
      end: RolloutEnd;
      /** Why it did not come to its end. */
      reason: string | null;
      /** An operator asked for the end. */
      byOperator: boolean;
      tookMs: number;
    };

export type DeployEventListener = (event: DeployEvent) => void;
