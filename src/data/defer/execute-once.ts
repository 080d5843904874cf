import { INSERT_KEY_SQL } from './deferred-table';
import type { Entry } from './entry';
import { statementOf } from './entry';
import type { Fault } from './failure';
import { faultOf } from './failure';
import type { DeferTarget } from './target';

export type Executed = { outcome: 'done' | 'duplicate' } | { outcome: 'failed'; fault: Fault; error: unknown };

/** Executes an entry unless its key is done already, in one transaction with the key. Never rejects. */
export async function executeOnce(target: DeferTarget, entry: Entry): Promise<Executed> {
  // A missing table of keys is no fault of the statement, though it looks like one.
  const at = { key: false };
  try {
    const outcome = await target.transaction(entry.guildId, async (tx) => {
      at.key = true;
      const { rowCount } = await tx.query(INSERT_KEY_SQL, [String(entry.guildId), entry.key]);
      at.key = false;
      if (rowCount === 0) return 'duplicate';
      const { sql, params } = statementOf(entry);
      await tx.query(sql, params);
      return 'done';
    });
    return { outcome };
  } catch (error) {
    const fault = faultOf(error);
    return { outcome: 'failed', fault: at.key && fault === 'statement' ? 'shard' : fault, error };
  }
}
