import type { Client } from 'pg';

export interface IndexFacts {
  id: number;
  schema: string;
  name: string;
  table: string;
  tableId: number;
  owner: string;
  bytes: number;
  valid: boolean;
  unique: boolean;
  /** Entries, as the planner knows them; -1: not known. */
  entries: number;
  /** Is it being built at the moment? */
  busy: boolean;
  permitted: boolean;
  btree: boolean;
}

/** All indexes but those of the system's own catalogues, largest first. */
export async function readIndexes(client: Client): Promise<IndexFacts[]> {
  const { rows } = await client.query<
    Omit<IndexFacts, 'id' | 'tableId' | 'bytes'> & Record<'id' | 'tableId' | 'bytes', string>
  >(`
    SELECT i.indexrelid::int8 AS id, n.nspname AS schema, c.relname AS name, t.relname AS table,
           i.indrelid::int8 AS "tableId", r.rolname AS owner, pg_relation_size(c.oid) AS bytes, i.indisvalid AS valid,
           i.indisunique AS unique, c.reltuples AS entries, a.amname = 'btree' AS btree,
           EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid) AS busy,
           (pg_has_role(t.relowner, 'USAGE') OR CASE WHEN current_setting('server_version_num')::int >= 170000
             THEN has_table_privilege(t.oid, 'MAINTAIN') ELSE false END) AS permitted
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = t.relowner JOIN pg_am a ON a.oid = c.relam
     WHERE c.relkind = 'i' AND t.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND (n.nspname <> 'pg_toast' OR EXISTS (SELECT FROM pg_class o JOIN pg_namespace m ON m.oid = o.relnamespace
                                               WHERE o.reltoastrelid = t.oid AND m.nspname <> 'pg_catalog'))
     ORDER BY pg_relation_size(c.oid) DESC`);
  return rows.map((row) => ({ ...row, id: Number(row.id), tableId: Number(row.tableId), bytes: Number(row.bytes) }));
}

const PAGE = 8_192;
/** A page less its header and the special space of a B-tree page. */
const PAGE_SPACE = PAGE - 24 - 16;
const FILL = 0.9;
/** Header of an index entry and its pointer in the page. */
const ENTRY_BYTES = 8 + 4;
/** Address of one row in a list of rows with the same key. */
const ADDRESS_BYTES = 6;
const ALIGN = 8;

/**
 * Share of the index that a rebuild would give back. Measured where pgstattuple is there and permitted, else estimated from
 * what ANALYZE knows. null: it cannot be told.
 */
export async function estimateBloat(client: Client, index: IndexFacts): Promise<number | null> {
  if (!index.btree) return null;
  return (await measuredBloat(client, index)) ?? (await bloatByStatistics(client, index));
}

async function measuredBloat(client: Client, { id }: IndexFacts): Promise<number | null> {
  const { rows } = await client.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.proname = 'pgstatindex' AND p.proargtypes[0] = 'regclass'::regtype
        AND has_function_privilege(p.oid, 'EXECUTE')`,
  );
  const [found] = rows;
  if (found === undefined) return null;
  const sql = `SELECT leaf_pages, avg_leaf_density, empty_pages + deleted_pages AS unused
    FROM ${client.escapeIdentifier(found.schema)}.pgstatindex($1::oid::regclass)`;
  const look = await client.query<{ leaf_pages: string; avg_leaf_density: number; unused: string }>(sql, [id]);
  const [row] = look.rows;
  if (row === undefined) return null;
  return bloatOf({
    leafPages: Number(row.leaf_pages),
    density: row.avg_leaf_density / 100,
    unused: Number(row.unused),
  });
}

/** Against an index of the same content with pages filled to 90 %. NaN density (an empty index): nothing but unused pages. Pure. */
export function bloatOf({
  leafPages,
  density,
  unused,
}: {
  leafPages: number;
  density: number;
  unused: number;
}): number {
  const pages = leafPages + unused;
  if (pages <= 1) return 0;
  const needed = Number.isFinite(density) ? Math.max(1, (leafPages * density) / FILL) : 1;
  return Math.max(0, 1 - needed / pages);
}

async function bloatByStatistics(client: Client, index: IndexFacts): Promise<number | null> {
  if (index.entries < 0) return null;
  const { rows } = await client.query<{ width: number | null; distinct: number | null }>(
    `SELECT coalesce(st.avg_width, CASE WHEN a.attlen > 0 THEN a.attlen END) AS width, st.n_distinct AS distinct
       FROM pg_attribute a
       LEFT JOIN pg_index i ON i.indexrelid = a.attrelid
       LEFT JOIN pg_class t ON t.oid = i.indrelid
       LEFT JOIN pg_namespace n ON n.oid = t.relnamespace
       LEFT JOIN pg_attribute col ON col.attrelid = t.oid AND col.attnum = i.indkey[a.attnum - 1] AND col.attnum > 0
       LEFT JOIN pg_stats st ON st.schemaname = n.nspname
            AND ((st.tablename = t.relname AND st.attname = col.attname) OR (col.attname IS NULL
                 AND st.tablename = $2 AND st.attname = a.attname))
      WHERE a.attrelid = $1::oid AND a.attnum > 0`,
    [index.id, index.name],
  );
  if (rows.length === 0 || rows.some(({ width }) => width === null)) return null; // never analysed, or not ours to see
  return bloatByWidth({
    bytes: index.bytes,
    entries: index.entries,
    widths: rows.map(({ width }) => width ?? 0),
    distinct: index.unique || rows.length > 1 ? null : (rows[0]?.distinct ?? null),
  });
}

/**
 * @param distinct as pg_stats has it: number of keys, or less than 0: share of the rows; null: as many as rows. Pure.
 */
export function bloatByWidth(index: {
  bytes: number;
  entries: number;
  widths: readonly number[];
  distinct: number | null;
}): number {
  const { bytes, entries, widths, distinct } = index;
  const key = Math.ceil(widths.reduce((sum, width) => sum + width, 0) / ALIGN) * ALIGN + ENTRY_BYTES;
  const keys = distinct === null ? entries : Math.min(entries, distinct < 0 ? -distinct * entries : distinct);
  // Rows with the same key share an entry, in which each has its address.
  const shared = keys < entries / 2 ? keys * key + entries * ADDRESS_BYTES : entries * key;
  const leaves = Math.ceil(Math.min(shared, entries * key) / (PAGE_SPACE * FILL));
  const inner = Math.ceil((leaves * key) / (PAGE_SPACE * 0.7));
  const needed = (1 + leaves + inner) * PAGE;
  return Math.max(0, 1 - needed / bytes);
}
