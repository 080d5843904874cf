import type { TaskName } from './task';

export type RunTrigger = 'window' | 'schedule' | 'catch-up' | 'now';

/** done: everything; cut: time was up, the rest goes on the next time; failed: some step failed. */
export type RunOutcome = 'done' | 'cut' | 'failed' | 'skipped';

/** What happens in maintenance; the composition root makes log lines and incidents of it. */
export type MaintenanceEvent =
  | { type: 'maintenance.started'; trigger: RunTrigger; tasks: readonly TaskName[] }
  | { type: 'maintenance.ended'; trigger: RunTrigger; outcome: RunOutcome; done: number; failed: number; ms: number }
  /** A task failed; `shard` null: not one database shard alone. */
  | { type: 'maintenance.failed'; task: TaskName | null; shard: number | null; message: string }
  /** A task came to its end without a failure; `failed`: the last time it had not. */
  | { type: 'maintenance.recovered'; task: TaskName; failed: boolean }
  /** Nothing was done in this window, and it is not made up. */
  | { type: 'maintenance.missed'; window: string; reason: string }
  | { type: 'maintenance.skipped'; trigger: RunTrigger; reason: string }
  /** Old transaction ids are not frozen fast enough; at `limit` Postgres stops taking writes. */
  | { type: 'maintenance.wraparound'; shard: number; age: number; limit: number }
  | { type: 'backup.made'; id: string; bytes: number; ms: number }
  | { type: 'backup.verified'; id: string }
  | { type: 'backup.failed'; id: string | null; message: string };

export type MaintenanceListener = (event: MaintenanceEvent) => void;
