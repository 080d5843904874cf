import { escapeIdentifier } from 'pg';
import type { Session } from './session';
import type { MovedTable } from './tables';

interface Sequence {
  column: string;
  /** Quoted, with schema. */
  name: string;
  increment: string;
}

const OWNED = `
SELECT a.attname AS column, s.seqrelid::regclass::text AS name, s.seqincrement::text AS increment
  FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_class'::regclass AND d.refobjid = to_regclass($1) AND d.deptype IN ('a', 'i') AND s.seqincrement > 0`;

/**
 * Lifts the sequences of identity and serial columns above the values that have come with the rows, so that the target
 * never gives out one of them again. Inside a transaction; others who draw a number wait for its end.
 * @param rows SQL after FROM, in which the table is called `t`
 */
export async function raiseSequences(target: Session, table: MovedTable, rows: string): Promise<void> {
  const { rows: sequences } = await target.query<Sequence & Record<string, string>>(OWNED, [table.sql]);
  for (const { column, name, increment } of sequences) {
    const row = await target.one<{ highest: string | null }>(
      `SELECT max(t.${escapeIdentifier(column)})::text AS highest FROM ${rows}`,
    );
    if (row?.highest == null) continue;
    // Changes nothing, but holds back nextval: what is read next stays true.
    await target.query(`ALTER SEQUENCE ${name} INCREMENT BY ${increment}`);
    const state = await target.one<{ low: boolean }>(`SELECT last_value <= $1::bigint AS low FROM ${name}`, [
      row.highest,
    ]);
    if (state?.low === true) {
      await target.query(`ALTER SEQUENCE ${name} RESTART WITH ${BigInt(row.highest) + BigInt(increment)}`);
    }
  }
}
