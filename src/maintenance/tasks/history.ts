import type { MaintenanceTask, TaskContext } from '../task';

/** What is remembered in the first database shard, and for how long, ms. */
export interface HistoryKeep {
  keep: number;
  keepIncidents: number;
}

interface Remembered {
  table: string;
  /** Which rows may be forgotten; $1 is the interval. */
  old: string;
  keepMs: number;
}

/** So many rows are deleted in one statement. */
const BATCH = 1_000;

/** Forgets what maintenance did long ago, and incidents that ended long ago. */
export class HistoryTask implements MaintenanceTask {
  readonly name = 'history';
  readonly #remembered: readonly Remembered[];

  constructor({ keep, keepIncidents }: HistoryKeep) {
    this.#remembered = [
      { table: 'botctl.maintenance_run', old: 'started_at < now() - $1::interval', keepMs: keep },
      { table: 'botctl.incident', old: 'resolved_at < now() - $1::interval', keepMs: keepIncidents },
    ];
  }

  async run(context: TaskContext): Promise<void> {
    for (const remembered of this.#remembered) await this.#forget(context, remembered);
  }

  async #forget(context: TaskContext, { table, old, keepMs }: Remembered): Promise<void> {
    const client = await context.connect(0);
    const interval = [`${keepMs} milliseconds`];
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${table} WHERE ${old}`,
      interval,
    );
    const oldRows = rows[0]?.n ?? 0;
    if (oldRows === 0) return;
    const plan = { shard: 0, object: table, action: 'forget old rows', before: { oldRows } };
    await context.step(plan, async () => {
      const batch = `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE ${old} LIMIT ${BATCH})`;
      for (let gone = -1; gone !== 0;) gone = (await client.query(batch, interval)).rowCount ?? 0;
      return { oldRows: 0 };
    });
  }
}
