import type { Figures, MaintenanceTask, TaskContext } from '../task';

/** Removes releases that nobody will go back to. */
export interface ReleaseStore {
  /** Names of releases that may go. */
  prunable(): Promise<string[]>;
  remove(name: string): Promise<Figures | null>;
}

export class ReleasesTask implements MaintenanceTask {
  readonly name = 'releases';

  constructor(private readonly store: ReleaseStore) {}

  async run(context: TaskContext): Promise<void> {
    for (const name of await this.store.prunable()) {
      await context.step({ shard: null, object: name, action: 'remove an old release' }, () => this.store.remove(name));
    }
  }
}
