import { pipeline } from 'node:stream/promises';
import { escapeIdentifier } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { changesTable } from './capture';
import { raiseSequences } from './sequences';
import type { Session } from './session';
import { checksumSql, copiedColumns, copyFormat, type MovedTable } from './tables';
import { type Move, unitCondition } from './unit';

/** Rows that one statement deletes, so that no lock is held long. */
const DELETE_BATCH = 10_000;
const DELETE_PORTION = 20 * DELETE_BATCH;

/** The two sides do not hold the same rows. */
export class ChecksumError extends Error {
  override readonly name = 'ChecksumError';
}

function condition(move: Move, { guildColumn, guildIsText }: MovedTable, side: 'source' | 'target'): string {
  return unitCondition(move.unit, `t.${escapeIdentifier(guildColumn)}`, guildIsText, side);
}

/** Streams the rows of a query into a table of the other side. */
async function stream(
  source: Session,
  query: string,
  target: Session,
  into: string,
  format: 'binary' | 'text',
): Promise<number> {
  const writer = target.client.query(copyFrom(`COPY ${into} FROM STDIN (FORMAT ${format})`));
  const reader = source.client.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT ${format})`));
  await pipeline(reader, writer);
  return writer.rowCount;
}

/** How many rows of the unit there are, as the planner guesses: for a progress bar. */
export async function estimateRows(source: Session, move: Move, table: MovedTable): Promise<number> {
  const row = await source.one<{ 'QUERY PLAN': { Plan: { 'Plan Rows': number } }[] }>(
    `EXPLAIN (FORMAT JSON) SELECT FROM ${table.sql} t WHERE ${condition(move, table, 'source')}`,
  );
  return row?.['QUERY PLAN'][0]?.Plan['Plan Rows'] ?? 0;
}

/** Copies all rows of the unit, as of one moment. Both sides are inside a transaction. */
export function copyAll(source: Session, target: Session, move: Move, table: MovedTable): Promise<number> {
  const columns = copiedColumns(table);
  const rows = `SELECT ${columns.map((name) => `t.${name}`).join(', ')} FROM ${table.sql} t WHERE ${condition(move, table, 'source')}`;
  return stream(source, rows, target, `${table.sql} (${columns.join(', ')})`, copyFormat(table));
}

/**
 * Brings the rows that have changed since to the other side, and compares them there. Both sides are inside a
 * transaction; the changes are forgotten when the source commits, so commit the target first.
 * @returns number of changed rows
 * @throws ChecksumError
 */
export async function copyChanges(source: Session, target: Session, move: Move, table: MovedTable): Promise<number> {
  const keys = table.primaryKey.map(escapeIdentifier).join(', ');
  const columns = copiedColumns(table).join(', ');
  const changed = `botctl_keys_${table.index}`;
  const arrived = `botctl_rows_${table.index}`;
  await source.query(`CREATE TEMP TABLE ${changed} ON COMMIT DROP AS SELECT ${keys} FROM ${table.sql} WITH NO DATA`);
  const { rowCount } = await source.query(
    `WITH taken AS (DELETE FROM ${changesTable(move, table)} RETURNING ${keys})
     INSERT INTO ${changed} SELECT DISTINCT ${keys} FROM taken`,
  );
  if (rowCount === null || rowCount === 0) return 0;
  const touched = `${table.sql} t JOIN ${changed} k USING (${keys})`;
  const format = copyFormat(table);
  await target.query(
    `CREATE TEMP TABLE ${changed} ON COMMIT DROP AS SELECT ${keys} FROM ${table.sql} WITH NO DATA;
     CREATE TEMP TABLE ${arrived} ON COMMIT DROP AS SELECT ${columns} FROM ${table.sql} WITH NO DATA`,
  );
  await stream(source, `SELECT ${keys} FROM ${changed}`, target, changed, format);
  await stream(
    source,
    `SELECT ${copiedColumns(table)
      .map((name) => `t.${name}`)
      .join(', ')} FROM ${touched} WHERE ${condition(move, table, 'source')}`,
    target,
    `${arrived} (${columns})`,
    format,
  );
  const same = table.primaryKey.map((key) => `t.${escapeIdentifier(key)} = k.${escapeIdentifier(key)}`).join(' AND ');
  await target.query(
    `DELETE FROM ${table.sql} t USING ${changed} k WHERE ${same} AND ${condition(move, table, 'target')}`,
  );
  await target.query(`INSERT INTO ${table.sql} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${arrived}`);
  await raiseSequences(target, table, `${arrived} t`);
  await compare(source, target, table, (side) => `${touched} WHERE ${condition(move, table, side)}`);
  return rowCount;
}

/** The target gives out no number that a copied row has already. */
export function raiseAllSequences(target: Session, move: Move, table: MovedTable): Promise<void> {
  return raiseSequences(target, table, `${table.sql} t WHERE ${condition(move, table, 'target')}`);
}

/** Compares all rows of the unit. @throws ChecksumError @returns their number */
export async function compareAll(source: Session, target: Session, move: Move, table: MovedTable): Promise<number> {
  return compare(source, target, table, (side) => `${table.sql} t WHERE ${condition(move, table, side)}`);
}

async function compare(
  source: Session,
  target: Session,
  table: MovedTable,
  rows: (side: 'source' | 'target') => string,
): Promise<number> {
  const [here, there] = await Promise.all([
    source.one<{ checksum: string }>(checksumSql(table, rows('source'))),
    target.one<{ checksum: string }>(checksumSql(table, rows('target'))),
  ]);
  if (here === undefined || here.checksum !== there?.checksum) {
    throw new ChecksumError(
      `Table ${table.name}: the copy differs from the source (rows:sum ${here?.checksum} and ${there?.checksum}).`,
    );
  }
  return Number(here.checksum.split(':', 1)[0]);
}

/** Deletes the rows of the unit in batches; neither triggers nor foreign keys act on it. */
export async function deleteAll(
  session: Session,
  move: Move,
  table: MovedTable,
  side: 'source' | 'target',
): Promise<number> {
  const rows = condition(move, table, side);
  let total = 0;
  for (;;) {
    // Found in large portions: each search walks over what the ones before have deleted.
    const { rows: found } = await session.query<{ ctid: string }>(
      `SELECT t.ctid::text AS ctid FROM ${table.sql} t WHERE ${rows} LIMIT ${DELETE_PORTION}`,
    );
    for (let at = 0; at < found.length; at += DELETE_BATCH) {
      const batch = found.slice(at, at + DELETE_BATCH).map(({ ctid }) => ctid);
      const { rowCount } = await session.transaction({ replica: true }, async () => {
        await session.query('SET LOCAL enable_seqscan = off'); // the rows' addresses are known
        return session.query(`DELETE FROM ${table.sql} t WHERE t.ctid = ANY ($1::tid[]) AND (${rows}) IS TRUE`, [
          batch,
        ]);
      });
      total += rowCount ?? 0;
    }
    if (found.length < DELETE_PORTION) return total;
  }
}
