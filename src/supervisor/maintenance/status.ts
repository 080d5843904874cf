import type { MaintenanceStatus } from '../../control/maintenance-contract';

const HOUR_MS = 3_600_000;
/** A backup that is older is one that a night has missed twice. */
const OLD_BACKUP_MS = 50 * HOUR_MS;

/** What is wrong with the care for the databases; one sentence each. Pure. */
export function maintenanceProblems(status: MaintenanceStatus | null, now: number): string[] {
  if (status === null) return [];
  const problems = status.failing.map(({ task, message }) => `Maintenance: ${task} failed: ${message}`);
  const { backup } = status;
  if (backup === null) return problems;
  if (backup.problem !== null) problems.push(`The backups in ${backup.target} cannot be read: ${backup.problem}`);
  else if (backup.last !== null && now - backup.last.at > OLD_BACKUP_MS) {
    problems.push(
      `The newest backup is ${Math.floor((now - backup.last.at) / HOUR_MS)} hours old. See: botctl maintain`,
    );
  }
  return problems;
}
