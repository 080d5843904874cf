/**
 * Which keys are done, on every database shard; a key is inserted in the transaction of its statement. It has the
 * guild's id, so it moves along when the guild is moved. Safe to execute again.
 */
export const DEFER_TABLE_DDL = `
CREATE SCHEMA IF NOT EXISTS botctl;
CREATE TABLE IF NOT EXISTS botctl.deferred (
  guild_id bigint NOT NULL,
  key text NOT NULL,
  done_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (guild_id, key)
);
CREATE INDEX IF NOT EXISTS deferred_done_at ON botctl.deferred USING brin (done_at);
`;

/** Affects no row when the key is done already; waits for a transaction that is about to do it. */
export const INSERT_KEY_SQL =
  'INSERT INTO botctl.deferred (guild_id, key) VALUES ($1, $2) ON CONFLICT (guild_id, key) DO NOTHING';

/**
 * Forgets keys older than $1 (interval), at most 10,000 a time: repeat until no row is affected. $1 must be longer than
 * any entry has been pending, see `pruneAgeMs`; a pending entry whose key is forgotten could be done twice.
 */
export const PRUNE_DEFERRED_SQL = `
DELETE FROM botctl.deferred WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM botctl.deferred WHERE done_at < now() - $1::interval LIMIT 10000))`;
