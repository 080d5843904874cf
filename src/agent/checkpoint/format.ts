import type { ShardSession } from '../../ipc/messages';
import type { DispatchRecord } from '../handoff/wire';
import type { HeaderRecord, SnapshotRecord } from '../snapshot';

/*
 * A checkpoint is a handoff to a process that does not exist yet: the same records, in a file. What stands after the last
 * `seq` record is not part of it.
 */

/** The session of a shard, when it is new. */
export interface SessionRecord {
  k: 'session';
  session: ShardSession;
}

/** All before it has been told to the bot: up to these sequences, by shard. */
export interface SeqRecord {
  k: 'seq';
  s: [shard: number, sequence: number][];
  /** Interactions that the bot works on at this time. */
  inHand?: number;
}

export type CheckpointRecord =
  HeaderRecord | SnapshotRecord | DispatchRecord | { k: 'copied' } | SessionRecord | SeqRecord;
