import { bucketSql } from '../placement/bucket';
import { LOCK_SPACE } from '../schema/lock-space';

/** Leave to access a guild. */
export interface Pass {
  guildId: bigint;
  /** Of the move by which the guild came to the shard, as told by the shard it has left; null: by the catalogue. */
  token: string | null;
}

/**
 * The ownership check: two statements before the caller's own, in its transaction and in its round trip. The second one
 * has a snapshot of its own, so it sees what a move has done while the first one waited for the lock; where no guild of the
 * bucket was ever moved by itself, a look at the bucket is all. Neither has a row to send.
 */
export const FENCE = [
  {
    name: 'botctl_lock',
    text: `SELECT WHERE pg_advisory_xact_lock_shared(${LOCK_SPACE}, ${bucketSql('$1')}) IS NULL`,
    values: ({ guildId }: Pass) => [guildId.toString()],
  },
  {
    name: 'botctl_check',
    text: `SELECT botctl.enter($1::bigint, $2::bigint) FROM botctl.bucket k
      WHERE k.bucket = ${bucketSql('$1')}
        AND (NOT k.here OR k.pinned OR current_setting('transaction_isolation') <> 'read committed')`,
    values: ({ guildId, token }: Pass) => [guildId.toString(), token],
  },
] as const;
