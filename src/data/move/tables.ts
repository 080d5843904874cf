import { escapeIdentifier, type ClientBase } from 'pg';
import { type MoveUnit, unitCondition } from './unit';

/** Table names with the name of their guild-id column, as in the config. */
export type DeclaredTables = Readonly<Record<string, string>>;

export interface Column {
  name: string;
  type: string;
  /** Computed by the server from the others: not copied. */
  generated: boolean;
  /** Its binary form holds numbers of types that differ between databases. */
  ownType: boolean;
  /** Hashed as it is; else by its text. */
  hashable: boolean;
}

/** One declared table, as one database shard has it. */
export interface MovedTable {
  /** Its place among the declared ones. */
  index: number;
  /** As declared. */
  name: string;
  /** Quoted, with schema. */
  sql: string;
  guildColumn: string;
  guildIsText: boolean;
  columns: Column[];
  primaryKey: string[];
}

/** The tables cannot be moved as they are; the message says what to change. */
export class TableError extends Error {
  override readonly name = 'TableError';
}

/** Of botctl itself, moved along. */
export const OWN_TABLES: DeclaredTables = { 'botctl.deferred': 'guild_id' };
/** Of botctl itself, deleted when their guild has left: cached values, which would be old when it comes back. */
export const LEFT_TABLES: DeclaredTables = { 'botctl.cache_entry': 'routing_id' };

/** First number of types that are not built in (FirstNormalObjectId). */
const FIRST_OWN_TYPE = 16_384;
/** Equal values have equal hashes on every server, and different ones different hashes for all that matters. */
const HASHABLE = new Set([
  'boolean',
  'smallint',
  'integer',
  'bigint',
  'text',
  'character varying',
  'uuid',
  'bytea',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
  'jsonb',
  'inet',
]);

const COLUMNS = `
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attgenerated <> '' AS generated,
       (a.atttypid >= $2 OR t.typelem >= $2) AS own
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attname`;

const PRIMARY_KEY = `
SELECT a.attname AS name
  FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_attribute a ON a.attnum = k.attnum
 WHERE i.indrelid = to_regclass($1) AND i.indisprimary AND a.attrelid = i.indrelid
 ORDER BY k.place`;

const FOREIGN_KEYS = `
SELECT c.conname AS name, c.conrelid::regclass::text AS child, c.confrelid::regclass::text AS parent,
       (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k (num, place)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS "childColumns",
       (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY AS k (num, place)
          JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS "parentColumns"
  FROM pg_constraint c
 WHERE c.contype = 'f' AND c.conparentid = 0
   AND (c.conrelid = ANY ($1::text[]::regclass[]) OR c.confrelid = ANY ($1::text[]::regclass[]))`;

interface ForeignKey {
  name: string;
  child: string;
  parent: string;
  childColumns: string[];
  parentColumns: string[];
}

/**
 * Looks the declared tables up.
 * @throws TableError when one is missing, has no such column or no primary key, or hangs on a table that stays behind
 */
export async function inspectTables(client: ClientBase, declared: DeclaredTables): Promise<MovedTable[]> {
  const tables: MovedTable[] = [];
  for (const entry of Object.entries(declared).entries()) tables.push(await inspectTable(client, ...entry));
  await refuseTies(client, tables);
  return tables;
}

/** Those of the declared tables that are there. */
export async function findTables(client: ClientBase, declared: DeclaredTables): Promise<MovedTable[]> {
  const tables: MovedTable[] = [];
  for (const entry of Object.entries(declared).entries()) {
    try {
      tables.push(await inspectTable(client, ...entry));
    } catch (error) {
      if (!(error instanceof TableError)) throw error;
    }
  }
  return tables;
}

async function inspectTable(
  client: ClientBase,
  index: number,
  [name, guildColumn]: [string, string],
): Promise<MovedTable> {
  const sql = name.split('.').map(escapeIdentifier).join('.');
  const { rows } = await client.query<{ name: string; type: string; generated: boolean; own: boolean }>(COLUMNS, [
    sql,
    FIRST_OWN_TYPE,
  ]);
  if (rows.length === 0)
    throw new TableError(`Table ${name} (postgres.tables) does not exist. Migrate the shards first.`);
  const guild = rows.find((column) => column.name === guildColumn);
  if (guild === undefined) {
    throw new TableError(
      `Table ${name} has no column ${guildColumn} (postgres.tables). It has: ${rows.map((r) => r.name).join(', ')}.`,
    );
  }
  const { rows: keys } = await client.query<{ name: string }>(PRIMARY_KEY, [sql]);
  if (keys.length === 0)
    throw new TableError(`Table ${name} has no primary key: its rows cannot be followed while they move.`);
  return {
    index,
    name,
    sql,
    guildColumn,
    guildIsText: /^(text|character)/.test(guild.type),
    columns: rows.map(({ name, type, generated, own }) => ({
      name,
      type,
      generated,
      ownType: own,
      hashable: !own && HASHABLE.has(type),
    })),
    primaryKey: keys.map((key) => key.name),
  };
}

async function refuseTies(client: ClientBase, tables: MovedTable[]): Promise<void> {
  const moved = await regclassNames(client, tables);
  for (const { name, child, parent } of await foreignKeys(client, tables)) {
    if (moved.has(child)) continue;
    throw new TableError(
      `Table ${child} refers to ${parent} (${name}) but is not among postgres.tables: its rows would be left behind.`,
    );
  }
}

/**
 * Foreign keys are not checked while rows are copied: those to tables that do not move are looked at here.
 * @throws TableError when a copied row refers to nothing
 */
export async function refuseOrphans(target: ClientBase, unit: MoveUnit, tables: MovedTable[]): Promise<void> {
  const moved = await regclassNames(target, tables);
  for (const key of await foreignKeys(target, tables)) {
    const table = moved.get(key.child);
    if (table === undefined || moved.has(key.parent)) continue;
    const same = key.childColumns
      .map((column, index) => `p.${escapeIdentifier(key.parentColumns[index] ?? '')} = t.${escapeIdentifier(column)}`)
      .join(' AND ');
    const set = key.childColumns.map((column) => `t.${escapeIdentifier(column)} IS NOT NULL`).join(' AND ');
    const mine = unitCondition(unit, `t.${escapeIdentifier(table.guildColumn)}`, table.guildIsText, 'target');
    const { rowCount } = await target.query(
      `SELECT FROM ${table.sql} t WHERE ${mine} AND ${set} AND NOT EXISTS (SELECT FROM ${key.parent} p WHERE ${same}) LIMIT 1`,
    );
    if (rowCount === 0) continue;
    throw new TableError(
      `Table ${key.child} refers to rows of ${key.parent} (${key.name}) that the other database shard does not have.`,
    );
  }
}

async function regclassNames(client: ClientBase, tables: MovedTable[]): Promise<Map<string, MovedTable>> {
  const names = new Map<string, MovedTable>();
  for (const table of tables) {
    const { rows } = await client.query<{ name: string }>('SELECT to_regclass($1)::text AS name', [table.sql]);
    names.set(rows[0]?.name ?? table.sql, table);
  }
  return names;
}

async function foreignKeys(client: ClientBase, tables: MovedTable[]): Promise<ForeignKey[]> {
  const { rows } = await client.query<ForeignKey>(FOREIGN_KEYS, [tables.map(({ sql }) => sql)]);
  return rows;
}

/** @throws TableError when the two shards have the table in different shapes */
export function refuseDifferent(source: readonly MovedTable[], target: readonly MovedTable[]): void {
  source.forEach((table, index) => {
    const other = target[index];
    const shape = ({ columns, primaryKey }: MovedTable): string =>
      JSON.stringify([columns.map(({ name, type, generated }) => [name, type, generated]), primaryKey]);
    if (other === undefined || shape(table) !== shape(other)) {
      throw new TableError(`Table ${table.name} differs between the two database shards. Run: botctl db migrate`);
    }
  });
}

/** Columns that are copied, quoted. */
export function copiedColumns({ columns }: MovedTable): string[] {
  return columns.filter(({ generated }) => !generated).map(({ name }) => escapeIdentifier(name));
}

export function copyFormat({ columns }: MovedTable): 'binary' | 'text' {
  return columns.some(({ ownType, generated }) => ownType && !generated) ? 'text' : 'binary';
}

/**
 * SELECT that yields one text for the rows of `from`, whatever their order: their number and the sum
 * (XOR) of their hashes. No two rows are equal: they have a primary key.
 * @param from SQL after FROM, in which the table is called `t`
 */
export function checksumSql({ columns }: MovedTable, from: string): string {
  const fields = columns.map(({ name, hashable }) => `t.${escapeIdentifier(name)}${hashable ? '' : '::text'}`);
  return `SELECT concat_ws(':', count(*), coalesce(bit_xor(h), 0)) AS checksum
    FROM (SELECT hash_record_extended(ROW(${fields.join(', ')}), 0) AS h FROM ${from}) AS hashes`;
}
