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
  epoch bigint NOT NULL DEFAULT 0,
  -- Guilds of it are in botctl.guild, or were.
  pinned boolean NOT NULL DEFAULT false
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

CREATE FUNCTION botctl.note_pin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE botctl.bucket SET pinned = true WHERE bucket = botctl.bucket_of(NEW.guild_id) AND NOT pinned;
  RETURN NULL;
END $$;
CREATE TRIGGER note_pin AFTER INSERT ON botctl.guild FOR EACH ROW EXECUTE FUNCTION botctl.note_pin();

-- The ownership check takes a bucket that nothing is said of for one that is here.
CREATE FUNCTION botctl.keep_buckets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of botctl.bucket are never deleted';
END $$;
CREATE TRIGGER keep_buckets BEFORE DELETE OR TRUNCATE ON botctl.bucket
  FOR EACH STATEMENT EXECUTE FUNCTION botctl.keep_buckets();

-- The ownership check where a look at the bucket is not enough.
CREATE FUNCTION botctl.enter(guild bigint, pass bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  unit record;
BEGIN
  SELECT g.here, g.moved_to, g.token, g.arriving INTO unit FROM botctl.guild g WHERE g.guild_id = guild;
  IF NOT FOUND THEN
    SELECT k.here, k.moved_to, k.token, k.arriving INTO unit FROM botctl.bucket k WHERE k.bucket = botctl.bucket_of(guild);
  END IF;
  IF NOT coalesce(unit.here OR unit.arriving = pass, false) THEN
    RAISE EXCEPTION USING ERRCODE = '${NOT_HERE}', MESSAGE = 'guild ' || guild || ' is not on this database shard',
      DETAIL = coalesce(unit.moved_to || ':' || unit.token, '');
  END IF;
  -- A snapshot that may be older than the lock would not show that the guild has left. Such a transaction fails with
  -- 40001 instead, since the bucket has changed meanwhile.
  IF current_setting('transaction_isolation') <> 'read committed' AND current_setting('transaction_read_only') = 'off' THEN
    PERFORM FROM botctl.bucket k WHERE k.bucket = botctl.bucket_of(guild) FOR SHARE;
  END IF;
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
  {
    // Only the first database shard is asked for it.
    name: '0004-incident',
    sql: `
CREATE TABLE botctl.incident (
  id text PRIMARY KEY,
  type text NOT NULL,
  rule text NOT NULL,
  scope text NOT NULL,
  severity text NOT NULL,
  state text NOT NULL,
  opened_at timestamptz NOT NULL,
  resolved_at timestamptz,
  updated_at timestamptz NOT NULL,
  body jsonb NOT NULL
);
CREATE INDEX incident_opened ON botctl.incident (opened_at);
`,
  },
  // What was in use, by the hour. Used on shard 0 only.
  {
    name: '0005-capacity',
    sql: `
CREATE TABLE botctl.capacity_hour (
  hour timestamptz NOT NULL,
  resource text NOT NULL,
  scope text NOT NULL,
  part text NOT NULL, -- the state folder that has seen it
  samples int NOT NULL CHECK (samples > 0),
  mean float8 NOT NULL,
  low float8 NOT NULL,
  high float8 NOT NULL,
  limit_value float8,
  PRIMARY KEY (hour, resource, scope, part)
);
`,
  },
  {
    name: '0006-maintenance',
    // Used on shard 0.
    sql: `
CREATE TABLE botctl.maintenance_host (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  host text NOT NULL,
  since timestamptz NOT NULL
);
CREATE TABLE botctl.maintenance_run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  host text NOT NULL,
  trigger text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  outcome text,
  message text
);
CREATE TABLE botctl.maintenance_step (
  run bigint NOT NULL REFERENCES botctl.maintenance_run ON DELETE CASCADE,
  nr int NOT NULL,
  task text NOT NULL,
  shard int,
  object text,
  action text NOT NULL,
  outcome text NOT NULL,
  message text,
  before jsonb,
  after jsonb,
  started_at timestamptz NOT NULL,
  ms bigint NOT NULL,
  PRIMARY KEY (run, nr)
);
`,
  },
];
