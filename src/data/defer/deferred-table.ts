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
 * any entry has been pending, see `pruneAge`; a pending entry whose key is forgotten could be done twice.
 */
export const PRUNE_DEFERRED_SQL = `
DELETE FROM botctl.deferred WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM botctl.deferred WHERE done_at < now() - $1::interval LIMIT 10000))`;

const DAY_MS = 24 * 60 * 60 * 1_000;
const KEEP_MS = 7 * DAY_MS;

/**
 * $1 of PRUNE_DEFERRED_SQL: 7 days, or a day more than anything has been pending.
 * @param oldestAgesMs `oldestAgeMs` of the stats of all queues that write to the shard, also of those not taken over yet
 */
export function pruneAge(oldestAgesMs: Iterable<number | null>): string {
  let ageMs = KEEP_MS;
  for (const oldest of oldestAgesMs) ageMs = Math.max(ageMs, (oldest ?? 0) + DAY_MS);
  return `${ageMs} milliseconds`;
}
