import { prunable, type KeepSettings } from '../backup/keep';
import type { BackupStore } from '../backup/store';
import type { MaintenanceTask, TaskContext } from '../task';

/** Removes backups that are the last of no day, week or month that is kept. */
export class PruneBackupsTask implements MaintenanceTask {
  readonly name = 'prune-backups';

  constructor(
    private readonly store: BackupStore,
    private readonly keep: KeepSettings,
    /** In which days begin. */
    private readonly zone: string,
  ) {}

  async run(context: TaskContext): Promise<void> {
    const backups = await this.store.list();
    // What cannot be read for another reason than damage (of a newer botctl, or out of reach) is not ours to judge.
    const known = backups.filter(({ manifest, damaged }) => manifest !== null || damaged);
    const usable = known.map(({ id, at, damaged, verified }) => ({
      ...{ id, at },
      verified: damaged ? false : (verified?.ok ?? null),
    }));
    const bytes = new Map(backups.map((backup) => [backup.id, backup.bytes]));
    for (const id of prunable(usable, this.keep, this.zone)) {
      const plan = { shard: null, object: id, action: 'remove an old backup', before: { bytes: bytes.get(id) ?? 0 } };
      await context.step(plan, async () => {
        await this.store.remove(id);
        return { bytes: 0 };
      });
    }
  }
}
