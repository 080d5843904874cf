/** What `botctl recover` asks and is told, over the control socket. Durations in ms, times in ms since the epoch. */

export interface RecoverRequest {
  /** As in `botctl recover`: memory-pressure. */
  type: string;
  /** Such as cluster:3; absent: that of the open incident. */
  scope?: string;
  dryRun: boolean;
}

/** A strategy with its limits as they are set. */
export interface StrategyInfo {
  type: string;
  summary: string;
  /** Empty: nothing can be done from here. */
  steps: { name: string; does: string; touches: 'nothing' | 'shard' | 'cluster'; verifyMs: number }[];
  enabled: boolean;
  coolDownMs: number;
  maxPerHour: number;
  usedThisHour: number;
}

export interface RecoveryAction {
  at: number;
  incident: string | null;
  type: string;
  scope: string;
  step: string;
  /** null: it is being done. */
  ok: boolean | null;
  text: string | null;
  /** Did the condition clear after it? null: that is not known yet. */
  helped: boolean | null;
  dryRun: boolean;
  byHand: boolean;
}

export interface RecoveryOverview {
  mode: 'on' | 'dry-run' | 'off';
  maxPerHour: number;
  usedThisHour: number;
  maxShards: number;
  outage: OutageStatus | null;
  /** What is under way that must not be disturbed. */
  busy: string | null;
  strategies: StrategyInfo[];
  /** The latest first. */
  actions: RecoveryAction[];
}

/** Discord itself is out: nothing is done that needs it. */
export interface OutageStatus {
  since: number;
  /** One sentence. */
  text: string;
}
