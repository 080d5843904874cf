/**
 * Tables of the durable level, in each database shard. `version` changes with each write of a row; `stamp` says where the
 * sequence stood when the value was asked for, and later invalidations hit it. A deleted row stays for a while without its
 * value, so that a load from before the delete finds it.
 */
export const CACHE_TABLE_DDL = `
CREATE SCHEMA IF NOT EXISTS botctl;
CREATE SEQUENCE IF NOT EXISTS botctl.cache_version;
CREATE TABLE IF NOT EXISTS botctl.cache_entry (
  region text NOT NULL,
  key text NOT NULL,
  value bytea,
  tags text[] NOT NULL DEFAULT '{}',
  version bigint NOT NULL,
  stamp bigint NOT NULL,
  written_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  routing_id bigint NOT NULL,
  PRIMARY KEY (region, key)
);
CREATE INDEX IF NOT EXISTS cache_entry_tags ON botctl.cache_entry USING gin (tags) WHERE tags <> '{}';
CREATE INDEX IF NOT EXISTS cache_entry_prefix ON botctl.cache_entry (region, key text_pattern_ops);
CREATE INDEX IF NOT EXISTS cache_entry_routing ON botctl.cache_entry (routing_id);
CREATE INDEX IF NOT EXISTS cache_entry_expiry ON botctl.cache_entry (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS botctl.cache_invalidation (
  region text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('all', 'prefix', 'tag')),
  pattern text NOT NULL,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (region, kind, pattern)
);
`;

/** Tombstones and invalidations stay longer than any load takes. */
export const KEPT = "interval '1 hour'";

/** At most $1 rows that have expired, of all regions. */
export const PURGE_CACHE_SQL = `
DELETE FROM botctl.cache_entry WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM botctl.cache_entry WHERE expires_at <= now() LIMIT $1))`;

export const PURGE_INVALIDATIONS_SQL = `DELETE FROM botctl.cache_invalidation WHERE created_at < now() - ${KEPT}`;
