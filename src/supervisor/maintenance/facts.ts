import type { MaintenanceStatus } from '../../control/maintenance-contract';
import type { Fact } from '../../metrics';

const MS = 1_000;
const NONE = {};

/** How it stands with the care for the databases. NaN: not known. */
export function maintenanceGauges({ running, last, failing, backup }: MaintenanceStatus, now: number): Fact[] {
  const newest = backup?.last ?? null;
  return [
    { name: 'maintenance_running', labels: NONE, value: running === null ? 0 : 1 },
    { name: 'maintenance_age_seconds', labels: NONE, value: last === null ? NaN : (now - last.endedAt) / MS },
    { name: 'maintenance_failing_tasks', labels: NONE, value: failing.length },
    { name: 'backups', labels: NONE, value: backup === null || backup.problem !== null ? NaN : backup.count },
    { name: 'backup_age_seconds', labels: NONE, value: newest === null ? NaN : (now - newest.at) / MS },
    { name: 'backup_size_bytes', labels: NONE, value: newest?.bytes ?? NaN },
    {
      name: 'backup_verified',
      labels: NONE,
      value: newest === null || newest.verified === null ? NaN : newest.verified ? 1 : 0,
    },
  ];
}
