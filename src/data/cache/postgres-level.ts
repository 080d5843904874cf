import { createHash } from 'node:crypto';
import { CacheError } from './cache-error';
import type { Level3, Level3Read, Place } from './level3';
import { KEPT } from './postgres-table';
import { decodeValue, encodeValue } from './value-codec';

/** Runs SQL where a guild's rows are, or everywhere. Retries and time-outs are its business. */
export interface SqlRunner {
  query(routingId: bigint, text: string, params: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  /** On each database shard; rejects when one fails. */
  everyShard(text: string, params: unknown[]): Promise<void>;
}

export interface PostgresLevelOptions {
  /** Rows of one region do not meet those of another. */
  region: string;
  /** How long rows live, ms. Default: until they are deleted. */
  ttlMs?: number;
  /** Part of the TTL that is cut off by chance. Default 0.1. */
  jitter?: number;
}

const VALID = `e.value IS NOT NULL AND (e.expires_at IS NULL OR e.expires_at > now()) AND NOT EXISTS (
  SELECT 1 FROM botctl.cache_invalidation i
  WHERE i.region = e.region AND i.version > e.stamp AND (i.kind = 'all'
    OR (i.kind = 'tag' AND i.pattern = ANY (e.tags)) OR (i.kind = 'prefix' AND starts_with(e.key, i.pattern))))`;

const READ = `
SELECT k.key, e.value, e.tags, coalesce(e.version, 0)::text AS version, s.last_value::text AS stamp,
  (extract(epoch FROM e.expires_at - now()) * 1000)::float8 AS left_ms, coalesce(${VALID}, false) AS valid
FROM unnest($2::text[]) AS k (key)
CROSS JOIN (SELECT last_value FROM botctl.cache_version) s
LEFT JOIN botctl.cache_entry e ON e.region = $1 AND e.key = k.key`;

const EXPIRES = "now() + $5::float8 * interval '1 millisecond'";

const CHANGE = `value = excluded.value, tags = excluded.tags, version = excluded.version, stamp = excluded.stamp,
  written_at = now(), expires_at = excluded.expires_at`;

const WRITE = `
INSERT INTO botctl.cache_entry AS e (region, key, value, tags, version, stamp, expires_at, routing_id)
SELECT $1, $2, $3, $4, v, v, ${EXPIRES}, $6::bigint FROM nextval('botctl.cache_version') AS v
ON CONFLICT (region, key) DO UPDATE SET ${CHANGE}`;

const FILL = `
INSERT INTO botctl.cache_entry AS e (region, key, value, tags, version, stamp, expires_at, routing_id)
SELECT $1, $2, $3, $4, v, $7::bigint, ${EXPIRES}, $6::bigint FROM nextval('botctl.cache_version') AS v
ON CONFLICT (region, key) DO UPDATE SET ${CHANGE} WHERE e.version = $8::bigint`;

const DELETE = `
INSERT INTO botctl.cache_entry AS e (region, key, value, version, stamp, expires_at, routing_id)
SELECT $1, $2, NULL, v, v, now() + ${KEPT}, $3::bigint FROM nextval('botctl.cache_version') AS v
ON CONFLICT (region, key) DO UPDATE SET ${CHANGE}`;

/** Rows go at once; the note hits those that a load from before it brings afterwards. */
function invalidation(kind: 'all' | 'prefix' | 'tag', condition: string): string {
  return `
WITH gone AS (DELETE FROM botctl.cache_entry WHERE region = $1 AND ${condition})
INSERT INTO botctl.cache_invalidation AS i (region, kind, pattern, version)
SELECT $1, '${kind}', $2, v FROM nextval('botctl.cache_version') AS v
ON CONFLICT (region, kind, pattern) DO UPDATE SET version = greatest(i.version, excluded.version), created_at = now()`;
}

const DELETE_ALL = invalidation('all', "$2::text = ''");
const DELETE_TAG = invalidation('tag', 'tags @> ARRAY[$2::text]');
const DELETE_PREFIX = invalidation('prefix', "value IS NOT NULL AND key LIKE $3::text ESCAPE '\\'");

/**
 * L3: rows in Postgres, each on the database shard of its guild, or where its key's hash says. A cache, not a store: rows
 * do not go along when their guild moves to another database shard.
 */
export class PostgresLevel<T> implements Level3<T> {
  constructor(
    private readonly sql: SqlRunner,
    private readonly options: PostgresLevelOptions,
  ) {}

  async read(key: string, place: Place): Promise<Level3Read<T>> {
    const { rows } = await this.sql.query(routingId(key, place), READ, [this.options.region, [key]]);
    return this.#row(rows[0]);
  }

  /** One query where a guild is given: its keys lie together. */
  async readMany(keys: readonly string[], place: Place): Promise<Level3Read<T>[]> {
    const [first] = keys;
    if (first === undefined || place.guildId === undefined) {
      return Promise.all(keys.map((key) => this.read(key, place)));
    }
    const { rows } = await this.sql.query(routingId(first, place), READ, [this.options.region, [...keys]]);
    const byKey = new Map(rows.map((row) => [row['key'], row]));
    return keys.map((key) => this.#row(byKey.get(key)));
  }

  async write(key: string, value: T, tags: readonly string[], place: Place): Promise<void> {
    const id = routingId(key, place);
    await this.sql.query(id, WRITE, [...this.#columns(key, value, tags), id]);
  }

  async fill(key: string, value: T, tags: readonly string[], token: string, place: Place): Promise<void> {
    const [stamp, version] = token.split(':');
    const id = routingId(key, place);
    await this.sql.query(id, FILL, [...this.#columns(key, value, tags), id, stamp, version]);
  }

  async delete(key: string, place: Place): Promise<void> {
    const id = routingId(key, place);
    await this.sql.query(id, DELETE, [this.options.region, key, id]);
  }

  async deletePrefix(prefix: string): Promise<void> {
    const pattern = `${prefix.replace(/[\\%_]/g, '\\$&')}%`;
    await this.sql.everyShard(DELETE_PREFIX, [this.options.region, prefix, pattern]);
  }

  async deleteTag(tag: string): Promise<void> {
    await this.sql.everyShard(DELETE_TAG, [this.options.region, tag]);
  }

  async clear(): Promise<void> {
    await this.sql.everyShard(DELETE_ALL, [this.options.region, '']);
  }

  #columns(key: string, value: T, tags: readonly string[]): unknown[] {
    const { region, ttlMs, jitter = 0.1 } = this.options;
    const leftMs = ttlMs === undefined ? null : ttlMs * (1 - Math.random() * jitter);
    return [region, key, encodeValue(value), [...tags], leftMs];
  }

  #row(row: Record<string, unknown> | undefined): Level3Read<T> {
    if (row === undefined) throw new CacheError('L3_UNAVAILABLE', 'the durable level answered without a row');
    const { value, tags, left_ms: leftMs } = row;
    if (row['valid'] === true && Buffer.isBuffer(value)) {
      const decoded = decode(value);
      if (decoded !== undefined) {
        const labels = Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === 'string') : [];
        // What was written under this region was a T.
        return { found: true, value: decoded as T, tags: labels, leftMs: typeof leftMs === 'number' ? leftMs : null };
      }
    }
    return { found: false, token: `${String(row['stamp'])}:${String(row['version'])}` };
  }
}

/** undefined: bytes of another version, as good as nothing. */
function decode(bytes: Buffer): unknown {
  try {
    return decodeValue(bytes, 0);
  } catch {
    return undefined;
  }
}

/** The guild, or a positive number of 63 bits that is the same for the key everywhere and always. */
function routingId(key: string, { guildId }: Place): bigint {
  if (guildId !== undefined) return BigInt(guildId);
  return createHash('sha256').update(key).digest().readBigUInt64BE() >> 1n;
}
