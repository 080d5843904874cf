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
 * has a snapshot of its own, so it sees what a move has done while the first one waited for the lock.
 */
export const FENCE = [
  {
    name: 'botctl_lock',
    text: `SELECT pg_advisory_xact_lock_shared(${LOCK_SPACE}, ${bucketSql('$1')})`,
    values: ({ guildId }: Pass) => [guildId.toString()],
  },
  {
    name: 'botctl_check',
    text: `SELECT CASE
        WHEN NOT coalesce(CASE WHEN g.guild_id IS NULL THEN k.here OR k.arriving = $2 ELSE g.here OR g.arriving = $2 END, false)
          THEN botctl.refuse($1::bigint, CASE WHEN g.guild_id IS NULL
            THEN k.moved_to || ':' || k.token ELSE g.moved_to || ':' || g.token END)
        WHEN current_setting('transaction_isolation') <> 'read committed' THEN botctl.enter_snapshot($1::bigint)
        END
      FROM (SELECT ${bucketSql('$1')} AS bucket) b
      LEFT JOIN botctl.bucket k ON k.bucket = b.bucket LEFT JOIN botctl.guild g ON g.guild_id = $1::bigint`,
    values: ({ guildId, token }: Pass) => [guildId.toString(), token],
  },
] as const;
