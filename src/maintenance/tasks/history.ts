import { PRUNE_HISTORY_SQL } from '../history';
import type { MaintenanceTask, TaskContext } from '../task';

/** Forgets what maintenance did long ago. */
export class HistoryTask implements MaintenanceTask {
  readonly name = 'history';

  constructor(private readonly keepMs: number) {}

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
  }
}
