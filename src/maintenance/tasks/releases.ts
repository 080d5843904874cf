import type { Figures, MaintenanceTask, TaskContext } from '../task';

/** Removes releases that nobody goes back to. @returns what was removed; null: nothing */
export type PruneReleases = () => Promise<Figures | null> | Figures | null;

export class ReleasesTask implements MaintenanceTask {
  readonly name = 'releases';

  constructor(private readonly prune: PruneReleases) {}

  async run(context: TaskContext): Promise<void> {
    await context.step({ shard: null, object: null, action: 'remove old releases' }, async () => this.prune());
  }
}
