/** What the other commands may ask about maintenance and backups. Times are ms since the epoch. */

export interface BackupStatus {
  /** Folder or bucket. */
  target: string;
  count: number;
  /** The newest one that is whole. */
  last: { id: string; at: number; bytes: number; verified: boolean | null } | null;
  /** Why the target cannot be read; null: it can. */
  problem: string | null;
}

export interface MaintenanceStatus {
  /** null: nothing is due ever. */
  next: { at: number; tasks: string[] } | null;
  running: { trigger: string; since: number; text: string } | null;
  last: { trigger: string; startedAt: number; endedAt: number; outcome: string; message: string | null } | null;
  /** Tasks whose last run failed. */
  failing: { task: string; message: string }[];
  /** null: there are none. */
  backup: BackupStatus | null;
}

export interface MaintainRequest {
  /** Absent: all. */
  tasks?: string[];
  dryRun: boolean;
  /** Also while an incident or a rollout is under way. */
  force: boolean;
}

export interface MaintenanceStep {
  task: string;
  shard: number | null;
  object: string | null;
  action: string;
  outcome: string;
  message: string | null;
  before: Record<string, number | string> | null;
  after: Record<string, number | string> | null;
  startedAt: number;
  ms: number;
}

export interface MaintenanceRun {
  id: number | null;
  host: string;
  trigger: string;
  startedAt: number;
  endedAt: number | null;
  outcome: string | null;
  message: string | null;
}

/** What `botctl maintain` shows without `--now`. */
export interface MaintenanceOverview {
  status: MaintenanceStatus;
  /** Newest first. */
  runs: MaintenanceRun[];
  /** Of the newest run. */
  steps: MaintenanceStep[];
}

/** At the end of `botctl maintain --now`. */
export interface MaintenanceReport extends Omit<MaintenanceRun, 'host'> {
  ms: number;
  steps: MaintenanceStep[];
}
