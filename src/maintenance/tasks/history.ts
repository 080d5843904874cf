import { PRUNE_HISTORY_SQL } from '../history';
import type { Figures, MaintenanceTask, TaskContext } from '../task';

/** Something else that keeps a history in Postgres or on disk. */
export interface HistoryCleanup {
  /** What is cleaned, for people. */
  name: string;
  /** @returns figures of what was removed; null: there was nothing to remove */
  clean(signal: AbortSignal): Promise<Figures | null>;
}

/** Forgets what maintenance did long ago, and what others have kept long enough. */
export class HistoryTask implements MaintenanceTask {
  readonly name = 'history';

  constructor(
    private readonly keepMs: number,
    private readonly others: readonly HistoryCleanup[],
  ) {}

  async run(context: TaskContext): Promise<void> {
    const client = await context.connect(0);
    const keep = `${this.keepMs} milliseconds`;
    const { rows } = await client.query<{ old: number }>(
      'SELECT count(*)::int AS old FROM botctl.maintenance_run WHERE started_at < now() - $1::interval',
      [keep],
    );
    const old = rows[0]?.old ?? 0;
    if (old > 0) {
      const plan = { shard: 0, object: 'botctl.maintenance_run', action: 'forget old runs', before: { oldRuns: old } };
      await context.step(plan, async () => {
        for (let gone = -1; gone !== 0;) gone = (await client.query(PRUNE_HISTORY_SQL, [keep])).rowCount ?? 0;
        return { oldRuns: 0 };
      });
    }
    for (const other of this.others) {
      await context.step({ shard: null, object: other.name, action: 'clean up' }, () => other.clean(context.signal));
    }
  }
}
