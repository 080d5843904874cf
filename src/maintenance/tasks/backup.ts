import type { BackupMaker } from '../backup/make';
import type { BackupStore } from '../backup/store';
import type { BackupVerifier } from '../backup/verify';
import type { MaintenanceListener } from '../events';
import { type MaintenanceTask, messageOf, type TaskContext } from '../task';

export interface BackupTaskOptions {
  store: BackupStore;
  maker: BackupMaker;
  /** null: backups are not restored for a trial. */
  verifier: BackupVerifier | null;
  emit: MaintenanceListener;
}

/** Makes a backup of all database shards and restores it for a trial. */
export class BackupTask implements MaintenanceTask {
  readonly name = 'backup';

  constructor(private readonly options: BackupTaskOptions) {}

  async run(context: TaskContext): Promise<void> {
    const { store, verifier } = this.options;
    if (!context.dryRun) await store.removeUnfinished();
    let made: string | null = null;
    await context.step({ shard: null, object: null, action: 'back up all database shards' }, async (tell) => {
      const { id, bytes, ms } = await this.#make(context, tell);
      made = id;
      return { id, bytes, 'bytes/s': Math.round(bytes / Math.max(0.001, ms / 1_000)) };
    });
    const id = made as string | null;
    if (verifier === null || (id === null && !context.dryRun)) return;
    await context.step({ shard: null, object: id, action: 'restore it for a trial' }, async (tell) => {
      await this.#verify(id ?? '', verifier, context, tell);
      return null;
    });
  }

  async #make(context: TaskContext, tell: (text: string) => void): Promise<{ id: string; bytes: number; ms: number }> {
    const { maker, emit } = this.options;
    const begin = context.now().getTime();
    try {
      const { id, parts } = await maker.make(context.signal, tell);
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      const ms = context.now().getTime() - begin;
      emit({ type: 'backup.made', id, bytes, ms });
      return { id, bytes, ms };
    } catch (error) {
      const message = context.signal.aborted ? messageOf(context.signal.reason) : messageOf(error);
      emit({ type: 'backup.failed', id: null, message });
      throw error;
    }
  }

  async #verify(
    id: string,
    verifier: BackupVerifier,
    context: TaskContext,
    tell: (text: string) => void,
  ): Promise<void> {
    const { emit } = this.options;
    try {
      const { deployment, shards, parts } = await this.options.store.manifest(id);
      if (parts.some(({ kind }) => kind === 'dump')) await verifier.discardLeftovers(shards, deployment);
      await verifier.verify(id, context.signal, tell);
      emit({ type: 'backup.verified', id });
    } catch (error) {
      if (!context.signal.aborted) emit({ type: 'backup.failed', id, message: messageOf(error) });
      throw error;
    }
  }
}
