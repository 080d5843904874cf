/** Runs one maintenance task in a process of its own: `node --import tsx task-process.ts JSON`. */
import { connectClient } from '../../../src/data/pool/connect';
import { BackupMaker } from '../../../src/maintenance/backup/make';
import { BackupStore } from '../../../src/maintenance/backup/store';
import { FolderTarget } from '../../../src/maintenance/backup/target-folder';
import { HostLock } from '../../../src/maintenance/host-lock';
import type { MaintenanceTask } from '../../../src/maintenance/task';
import { HistoryTask } from '../../../src/maintenance/tasks/history';
import { ReindexTask } from '../../../src/maintenance/tasks/reindex';
import { runTask } from './run-task';

const DAY = 86_400_000;

export const TASKS = {
  reindex: () => new ReindexTask({ bloatShare: 0.3, minBytes: 100_000 }),
  history: () => new HistoryTask({ keep: 90 * DAY, keepIncidents: 365 * DAY }),
} satisfies Record<string, () => MaintenanceTask>;

export interface Order {
  task: keyof typeof TASKS | 'backup';
  url: string;
  backupDir: string;
}

async function main({ task, url, backupDir }: Order): Promise<void> {
  const connect = () => connectClient({ url, applicationName: 'killed' });
  await HostLock.acquire(connect, `process ${process.pid}`, () => undefined);
  if (task === 'backup') {
    const doors = [{ url }];
    const bot = { bot: 'test', version: '0', embedded: true, connect, doors };
    const store = new BackupStore(new FolderTarget(backupDir));
    await new BackupMaker(bot, { method: 'physical', key: null }, store, Date.now).make(
      new AbortController().signal,
      () => undefined,
    );
  } else {
    await runTask(TASKS[task](), { connect, shards: 1 });
  }
  process.exit(0);
}

if (require.main === module) {
  main(JSON.parse(process.argv[2] ?? '{}') as Order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
