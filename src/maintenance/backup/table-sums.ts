import type { Client } from 'pg';
import type { TableSum } from './manifest';

/** Rows of a cache are of no use later; all hosts of it are told when it begins anew. */
export const LEFT_OUT = ['botctl.cache_entry', 'botctl.cache_invalidation'] as const;

/** Text forms that do not depend on how a server is set up. */
const TEXT_FORMS = `SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL row_security = off; SET LOCAL search_path = pg_catalog;
SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`;

const TABLES = `
SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\\_t%' AND n.nspname || '.' || c.relname <> ALL ($1::text[])
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2`;

/** Opens a transaction that sees one moment. @returns the name by which others can see the same */
export async function openSnapshot(client: Client): Promise<string> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(TEXT_FORMS);
  const { rows } = await client.query<{ name: string }>('SELECT pg_export_snapshot() AS name');
  return rows[0]?.name ?? '';
}

/**
 * Number and checksum of the rows of every table, in the transaction that is open. Two databases with the same rows have
 * the same ones, whatever their order on disk.
 */
export async function sumTables(client: Client, shard: number, signal: AbortSignal): Promise<TableSum[]> {
  const { rows: tables } = await client.query<{ schema: string; name: string }>(TABLES, [LEFT_OUT]);
  const sums: TableSum[] = [];
  for (const { schema, name } of tables) {
    signal.throwIfAborted();
    const from = `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(name)}`;
    const { rows } = await client.query<{ rows: string; sum: string }>(
      `SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS sum FROM ${from} t`,
    );
    sums.push({ shard, name: `${schema}.${name}`, rows: Number(rows[0]?.rows), checksum: rows[0]?.sum ?? '' });
  }
  return sums;
}

/** All tables of a database at one moment. */
export async function sumDatabase(client: Client, shard: number, signal: AbortSignal): Promise<TableSum[]> {
  await openSnapshot(client);
  try {
    return await sumTables(client, shard, signal);
  } finally {
    await client.query('ROLLBACK');
  }
}

/** What is different in the restored copy; empty: nothing. Pure. */
export function differences(expected: readonly TableSum[], found: readonly TableSum[]): string[] {
  const key = ({ shard, name }: TableSum): string => `${shard}:${name}`;
  const there = new Map(found.map((table) => [key(table), table]));
  return expected.flatMap((table) => {
    const copy = there.get(key(table));
    const where = `database shard ${table.shard}: ${table.name}`;
    if (copy === undefined) return [`${where} is missing`];
    if (table.checksum === null || copy.checksum === table.checksum) return [];
    return copy.rows === table.rows
      ? [`${where} has other rows`]
      : [`${where} has ${copy.rows} rows instead of ${table.rows}`];
  });
}

/** Tables that were not written to between two looks; the others without their checksum. Pure. */
export function unchanged(before: readonly TableSum[], after: readonly TableSum[]): TableSum[] {
  const earlier = new Map(before.map(({ shard, name, checksum }) => [`${shard}:${name}`, checksum]));
  return after
    .filter(({ shard, name }) => earlier.has(`${shard}:${name}`))
    .map((table) => ({
      ...table,
      checksum: earlier.get(`${table.shard}:${table.name}`) === table.checksum ? table.checksum : null,
    }));
}
