import type { Clock } from '../../clock';
import type { DeferLog } from './defer-log';
import type { Sync } from './durable-file';
import type { DeferTarget } from './target';

export interface DeferQueueOptions {
  /** Folder of all journals of this machine; made (0700) when it is not there. Not to be shared between pid namespaces. */
  dir: string;
  /** Who defers, such as `cluster-3`: the same name after a restart, and only one living process of a name at a time. */
  owner: string;
  target: DeferTarget;
  /** Bound on the records of pending entries, bytes. The files may take twice that. Default 64 MiB. */
  maxBytes?: number;
  /** Bound on pending entries. Default 100,000. */
  maxEntries?: number;
  /** A shard that has not executed a statement after so long is not waited for: it is kept on disk. Default 2 s. */
  patienceMs?: number;
  log: DeferLog;
  clock?: Clock;
  /** For the jitter, 0 to 1. */
  random?: () => number;
  /** Makes a journal file durable. Default: fdatasync. */
  sync?: Sync;
}

export interface DeferStats {
  /** Entries on disk that are not executed yet, and the length of their records, bytes. */
  pending: number;
  bytes: number;
  /** Length of the journal's files, bytes. */
  diskBytes: number;
  /** Age of the oldest pending entry, ms; null when there is none. */
  oldestAgeMs: number | null;
  /** Since this process began: entries executed from disk, met with a key that was done, refused to their callers. */
  replayed: number;
  duplicates: number;
  rejected: number;
  /** Statements in the dead letter files of this owner. */
  deadLetters: number;
  /** Pending entries by database shard. */
  byShard: { shard: number; pending: number; down: boolean }[];
}
