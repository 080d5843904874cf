/** Runs one maintenance task in a process of its own: `node --import tsx task-process.ts JSON`. */
import { connectClient } from '../../../src/data/pool/connect';
import { BackupMaker } from '../../../src/maintenance/backup/make';
import type { Manifest } from '../../../src/maintenance/backup/manifest';
import { BackupStore } from '../../../src/maintenance/backup/store';
import { FolderTarget } from '../../../src/maintenance/backup/target-folder';
import { HostLock } from '../../../src/maintenance/host-lock';
import type { MaintenanceTask } from '../../../src/maintenance/task';
import { HistoryTask } from '../../../src/maintenance/tasks/history';
import { PruneBackupsTask } from '../../../src/maintenance/tasks/prune-backups';
import { ReindexTask } from '../../../src/maintenance/tasks/reindex';
import { RetentionTask } from '../../../src/maintenance/tasks/retention';
import { VacuumTask } from '../../../src/maintenance/tasks/vacuum';
import { runTask } from './run-task';

const DAY = 86_400_000;

export const KEEP_MS = 7 * DAY;
export const KEEP_BACKUPS = { daily: 2, weekly: 0, monthly: 0 };

export const TASKS = {
  reindex: () => new ReindexTask({ bloatShare: 0.3, minBytes: 100_000 }),
  history: () => new HistoryTask({ keep: 90 * DAY, keepIncidents: 365 * DAY }),
  vacuum: () =>
    new VacuumTask({ deadRows: 1_000, deadShare: 0.05, changedShare: 0.1, freezeShare: 0.6 }, () => undefined),
  retention: () => {
    const rule = { column: 'at', keepMs: KEEP_MS, unit: null, zone: 'UTC' };
    return new RetentionTask({ rules: ['old', 'parted'].map((table) => ({ ...rule, table })), pauseAbove: 50 });
  },
  'prune-backups': ({ backupDir }) =>
    new PruneBackupsTask(new BackupStore(new FolderTarget(backupDir)), KEEP_BACKUPS, 'UTC'),
} satisfies Record<string, (order: Order) => MaintenanceTask>;

export interface Order {
  task: keyof typeof TASKS | 'backup';
  url: string;
  backupDir: string;
}

/** Of the whole server, into the folder of the order. */
export function makeBackup({ url, backupDir }: Order, applicationName: string): Promise<Manifest> {
  const connect = () => connectClient({ url, applicationName });
  const bot = { bot: 'test', version: '0', embedded: true, connect, doors: [{ url }] };
  const store = new BackupStore(new FolderTarget(backupDir));
  const maker = new BackupMaker(bot, { method: 'physical', key: null }, store, Date.now);
  return maker.make(new AbortController().signal, () => undefined);
}

async function main(order: Order): Promise<void> {
  const { task, url } = order;
  const name = 'killed';
  const connect = () => connectClient({ url, applicationName: name });
  await HostLock.acquire(connect, `process ${process.pid}`, () => undefined);
  if (task === 'backup') await makeBackup(order, name);
  else await runTask(TASKS[task](order), { connect, shards: 1 });
  process.exit(0);
}

if (require.main === module) {
  main(JSON.parse(process.argv[2] ?? '{}') as Order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}
