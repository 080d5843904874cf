import type { Logger } from 'pino';
import type { MaintenanceEvent } from '../../maintenance';

/** Writes events of maintenance as log lines. */
export function logMaintenance(logger: Logger, event: MaintenanceEvent): void {
  const { type, ...fields } = event;
  const about = { event: type, ...fields, message: undefined };
  switch (event.type) {
    case 'maintenance.started':
      logger.info(about, `maintenance begins (${event.trigger}): ${event.tasks.join(', ')}`);
      break;
    case 'maintenance.ended': {
      const level = event.outcome === 'failed' ? 'error' : event.outcome === 'cut' ? 'warn' : 'info';
      const failed = event.failed === 0 ? '' : `, ${event.failed} failed`;
      const cut = event.outcome === 'cut' ? '; time was up, the rest goes on the next time' : '';
      logger[level](about, `maintenance ended: ${event.done} steps done${failed}${cut}`);
      break;
    }
    case 'maintenance.failed': {
      const where = event.shard === null ? '' : ` (database shard ${event.shard})`;
      logger.error(about, `maintenance: ${event.task ?? 'it'} failed${where}: ${event.message}`);
      break;
    }
    case 'maintenance.recovered':
      if (event.failed) logger.info(about, `maintenance: ${event.task} works again`);
      break;
    case 'maintenance.missed':
      logger.warn(about, `maintenance of ${event.window} was missed: ${event.reason}`);
      break;
    case 'maintenance.skipped':
      logger.warn(about, `maintenance was skipped: ${event.reason}`);
      break;
    case 'maintenance.wraparound':
      logger.error(
        about,
        `database shard ${event.shard}: the oldest transaction id is ${event.age} old; at ${event.limit} Postgres stops taking writes`,
      );
      break;
    case 'backup.made':
      logger.info(about, `backup ${event.id} made`);
      break;
    case 'backup.verified':
      logger.info(about, `backup ${event.id} was restored for a trial: all tables are the same`);
      break;
    case 'backup.failed':
      logger.error(about, `${event.id === null ? 'the backup' : `backup ${event.id}`} failed: ${event.message}`);
      break;
  }
}
