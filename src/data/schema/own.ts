import { CACHE_TABLE_DDL } from '../cache/postgres-table';
import { DEFER_TABLE_DDL } from '../defer/deferred-table';
import { BUCKETS } from '../placement/bucket';
import { NOT_HERE } from '../pool/classify';

export interface Migration {
  name: string;
  sql: string;
}

/**
 * botctl's own tables, on every database shard; those of the catalogue are used on shard 0 only.
 *
 * The ownership check (pool/fence.ts) precedes every access to a guild. Its shared lock, held to the end of the
 * transaction, is what a move waits for before it takes the guild away. A shard that the guild has left names the next
 * one and the token of that move; the next one lets in who brings the token even before it has been told that the move is
 * complete (`arriving`). So a guild can be reached whenever a mover dies, and never on two shards.
 */
export const OWN_MIGRATIONS: readonly Migration[] = [
  {
    name: '0000-search-path',
    // The search path begins with a schema of the user's name. A user called botctl would find, and make, everything here.
    sql: `
DO $$ BEGIN
  IF 'botctl' = ANY (current_schemas(false)) THEN
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = public', current_user, current_database());
  END IF;
END $$;
`,
  },
  {
    name: '0001-placement',
    sql: `
CREATE TABLE botctl.identity (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  deployment uuid NOT NULL,
  shard int NOT NULL
);
CREATE TABLE botctl.bucket (
  bucket int PRIMARY KEY CHECK (bucket BETWEEN 0 AND ${BUCKETS - 1}),
  here boolean NOT NULL,
  moved_to int,
  token bigint,
  arriving bigint,
  epoch bigint NOT NULL DEFAULT 0
);
-- Guilds that do not follow their bucket.
CREATE TABLE botctl.guild (
  guild_id bigint PRIMARY KEY,
  here boolean NOT NULL,
  moved_to int,
  token bigint,
  arriving bigint
);

CREATE FUNCTION botctl.bucket_of(guild bigint) RETURNS int
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT hashint8(guild) & ${BUCKETS - 1} $$;

-- Is the guild on this shard? For statements over all guilds, which a move in progress would make see some twice.
CREATE FUNCTION botctl.owns(guild bigint) RETURNS boolean LANGUAGE sql STABLE STRICT AS $$
  SELECT coalesce((SELECT g.here FROM botctl.guild g WHERE g.guild_id = guild),
                  (SELECT k.here FROM botctl.bucket k WHERE k.bucket = hashint8(guild) & ${BUCKETS - 1}), false)
$$;

CREATE FUNCTION botctl.refuse(guild bigint, target text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '${NOT_HERE}', MESSAGE = 'guild ' || guild || ' is not on this database shard',
    DETAIL = coalesce(target, '');
END $$;

-- For transactions whose snapshot may be older than the lock: such a one would not see that the guild has left. It fails
-- with 40001 instead, since the bucket has changed meanwhile.
CREATE FUNCTION botctl.enter_snapshot(guild bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_read_only') = 'off' THEN
    PERFORM FROM botctl.bucket k WHERE k.bucket = hashint8(guild) & ${BUCKETS - 1} FOR SHARE;
  END IF;
  RETURN true;
END $$;

CREATE TABLE botctl.placement (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  deployment uuid NOT NULL,
  version bigint NOT NULL
);
CREATE TABLE botctl.placement_shard (shard int PRIMARY KEY, registered_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE botctl.placement_bucket (bucket int PRIMARY KEY, shard int NOT NULL);
CREATE TABLE botctl.placement_pin (guild_id bigint PRIMARY KEY, shard int NOT NULL);

CREATE TABLE botctl.move (
  id bigint PRIMARY KEY, -- the token
  kind text NOT NULL CHECK (kind IN ('guild', 'bucket')),
  unit bigint NOT NULL,
  from_shard int NOT NULL,
  to_shard int NOT NULL,
  state text NOT NULL CHECK (state IN ('copying', 'moved', 'done', 'aborted')),
  copied text[] NOT NULL DEFAULT '{}',
  rows bigint,
  pause_ms real,
  message text,
  started_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX move_open ON botctl.move (kind, unit) WHERE state IN ('copying', 'moved');
`,
  },
  // Keys of deferred writes that have landed. They move with their guild.
  { name: '0002-deferred', sql: DEFER_TABLE_DDL },
  { name: '0003-cache', sql: CACHE_TABLE_DDL },
];
