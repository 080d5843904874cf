import { setTimeout as delay } from 'node:timers/promises';
import { escapeIdentifier } from 'pg';
import type { Session } from './session';
import type { MovedTable } from './tables';
import { type Move, rowCondition } from './unit';

/** A writer makes us wait; who waits behind us must not wait long, ms. */
const LOCK_TIMEOUT_MS = 200;
const ATTEMPTS = 100;

/** Keys of the rows that were written while they were copied, one table for each declared one. */
export function changesTable(move: Move, { index }: MovedTable): string {
  return `botctl.move_${move.id}_${index}`;
}

function triggerName(move: Move): string {
  return `botctl_move_${move.id}`;
}

/**
 * Puts a trigger on the table of the source, for the rows of the unit only. When this returns, every write that is not in
 * a snapshot taken from now on is or will be in the changes table.
 */
export async function capture(source: Session, move: Move, table: MovedTable): Promise<void> {
  const keys = table.primaryKey.map(escapeIdentifier);
  const changes = changesTable(move, table);
  const insert = (row: 'OLD' | 'NEW'): string =>
    `INSERT INTO ${changes} (${keys.join(', ')}) VALUES (${keys.map((key) => `${row}.${key}`).join(', ')});`;
  const when = (row: 'OLD' | 'NEW'): string =>
    rowCondition(move.unit, `${row}.${escapeIdentifier(table.guildColumn)}`, table.guildIsText);
  const trigger = triggerName(move);
  const create = (suffix: string, event: string, condition: string): string =>
    `CREATE TRIGGER ${trigger}_${suffix} AFTER ${event} ON ${table.sql}
       FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION ${changes}();
     ALTER TABLE ${table.sql} ENABLE ALWAYS TRIGGER ${trigger}_${suffix};`;
  await patiently(source, async () => {
    if (await isCaptured(source, move, table)) return;
    await source.query(`
      CREATE TABLE IF NOT EXISTS ${changes} AS SELECT ${keys.join(', ')} FROM ${table.sql} WITH NO DATA;
      CREATE OR REPLACE FUNCTION ${changes}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN
        IF TG_OP <> 'INSERT' THEN ${insert('OLD')} END IF;
        IF TG_OP <> 'DELETE' THEN ${insert('NEW')} END IF;
        RETURN NULL;
      END $$;
      CREATE OR REPLACE FUNCTION ${changes}_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'TRUNCATE has to wait: rows of this table are being moved to another database shard'
          USING ERRCODE = 'object_in_use', HINT = 'See: botctl db status';
      END $$;
      ${create('insert', 'INSERT', when('NEW'))}
      ${create('update', 'UPDATE', `${when('OLD')} OR ${when('NEW')}`)}
      ${create('delete', 'DELETE', when('OLD'))}
      CREATE TRIGGER ${trigger}_truncate BEFORE TRUNCATE ON ${table.sql}
        FOR EACH STATEMENT EXECUTE FUNCTION ${changes}_truncate();`);
  });
}

/** Takes away what `capture` has put there. Safe to repeat. */
export async function release(source: Session, move: Move, table: MovedTable): Promise<void> {
  const changes = changesTable(move, table);
  const trigger = triggerName(move);
  await patiently(source, async () => {
    if (await isCaptured(source, move, table)) {
      const drops = ['insert', 'update', 'delete', 'truncate'].map(
        (name) => `DROP TRIGGER IF EXISTS ${trigger}_${name} ON ${table.sql}`,
      );
      await source.query(drops.join('; '));
    }
    await source.query(
      `DROP FUNCTION IF EXISTS ${changes}(); DROP FUNCTION IF EXISTS ${changes}_truncate(); DROP TABLE IF EXISTS ${changes}`,
    );
  });
}

async function isCaptured(source: Session, move: Move, table: MovedTable): Promise<boolean> {
  const { rowCount } = await source.query('SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2', [
    table.sql,
    `${triggerName(move)}_truncate`,
  ]);
  return rowCount !== 0;
}

/** Changing a table's triggers needs a lock that writers stand behind: ask briefly, often. */
async function patiently(source: Session, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await source.transaction({ lockTimeout: LOCK_TIMEOUT_MS }, work);
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== '55P03' || attempt === ATTEMPTS) throw error;
      await delay(LOCK_TIMEOUT_MS / 2 + Math.random() * LOCK_TIMEOUT_MS);
    }
  }
}
