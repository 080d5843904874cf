import type { Progress } from './progress';

export interface DeployRequest {
  /** Id of a release that is there. */
  release: string;
  /** Go on although a check says no. */
  force: boolean;
  /** Only check the release; move nothing. */
  checkOnly: boolean;
  /** Replace all clusters at the same time, and watch only afterwards. */
  allAtOnce: boolean;
}

export interface RollbackRequest {
  /** Id of a release, or `live`; null: the one before the current one. */
  release: string | null;
}

export type RolloutOrder = 'pause' | 'resume' | 'abort';

/** A rollout, under way or over. Times are ms since the epoch. */
export interface RolloutStatus {
  id: string;
  kind: 'deploy' | 'rollback' | 'reload';
  from: string;
  to: string;
  phase: 'running' | 'rolling-back' | 'done' | 'rolled-back' | 'halted' | 'failed';
  paused: boolean;
  /** Why it did not come to its end. */
  reason: string | null;
  startedAt: number;
  endedAt: number | null;
  /** The latest that was done. */
  doing: string | null;
  clusters: {
    id: number;
    step: 'waiting' | 'replacing' | 'replaced' | 'returning' | 'returned';
    how: 'handoff' | 'restart' | 'kept' | null;
    /** No event was dispatched for so long in the handoff, ms, and events came late for so long. null: not measured. */
    gapMs: number | null;
    caughtUpMs: number | null;
    identifies: number;
  }[];
  /** Ids of clusters, in the order in which they are replaced. */
  batches: number[][];
}

export interface DeployStatus {
  /** `live`: nothing was deployed, the bot runs from its own folder. */
  current: string;
  previous: string | null;
  rollout: RolloutStatus | null;
  /** The one before. */
  last: RolloutStatus | null;
}

export interface DeployHandlers {
  /** POST /v1/deploy: checks the release, then moves all clusters to it; progress until it is over. */
  deploy(request: DeployRequest, onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/rollback */
  rollback(request: RollbackRequest, onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/rollout: looks on until it is over. */
  followRollout(onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/rollout/pause, /resume, /abort. `abort` lasts until it is rolled back. */
  orderRollout(order: RolloutOrder, onProgress: (line: Progress) => void): Promise<void>;
  /** POST /v1/reload: reads the config again, and replaces the clusters one by one. */
  reload(onProgress: (line: Progress) => void): Promise<void>;
}
