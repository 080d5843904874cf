export type { DeferQueueOptions, DeferStats } from './defer-options';
export { DeferQueue } from './defer-queue';
export { DEFER_TABLE_DDL, PRUNE_DEFERRED_SQL, pruneAge } from './deferred-table';
export type { DeferLog } from './defer-log';
export type { DeferOutcome } from './lane';
export type { DeferTarget, DeferTransaction } from './target';
export { listJournals } from './journal-folder';
