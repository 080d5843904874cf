import type { Incident, IncidentDesk, IncidentType } from '../../incidents';
import type { MaintenanceEvent } from '../../maintenance';

const HOUR_MS = 3_600_000;
/** The age of transaction ids is looked at each night. */
const WRAPAROUND_MS = 26 * HOUR_MS;
const WRAPAROUND_SEVERE = 0.8;

/** They do not end by waiting, or are what maintenance is to put right. */
const NO_OBSTACLE: ReadonlySet<IncidentType> = new Set([
  'maintenance-failed',
  'backup-failed',
  'capacity-limit',
  'deploy-failed',
]);

/** Why the databases should be left alone; null: nothing speaks against it. Pure. */
export function busyByIncidents(open: readonly Incident[]): string | null {
  const found = open.find(({ type, severity }) => severity !== 'info' && !NO_OBSTACLE.has(type));
  return found === undefined ? null : `an incident is open (${found.type}, ${found.scope})`;
}

/** Makes incidents of what goes wrong in maintenance, and ends them. */
export function signalMaintenance(desk: Pick<IncidentDesk, 'signal'>, event: MaintenanceEvent): void {
  switch (event.type) {
    case 'backup.failed': {
      const name = event.id === null ? 'make' : 'verify';
      desk.signal({ type: 'backup-failed', scope: 'bot', name, holds: true, text: event.message });
      break;
    }
    case 'backup.made':
      desk.signal({ type: 'backup-failed', scope: 'bot', name: 'make', holds: false, text: `backup ${event.id} made` });
      break;
    case 'backup.verified':
      desk.signal({
        type: 'backup-failed',
        scope: 'bot',
        name: 'verify',
        holds: false,
        text: `backup ${event.id} is good`,
      });
      break;
    case 'maintenance.failed':
      // A backup that failed has said so already.
      if (event.task !== 'backup') task(desk, event.task, true, event.message);
      break;
    case 'maintenance.recovered':
      task(desk, event.task, false, 'it works again');
      break;
    case 'maintenance.missed':
    case 'maintenance.skipped': {
      const text = `the databases were not looked after: ${event.reason}`;
      desk.signal({ type: 'maintenance-failed', scope: 'postgres', name: 'missed', holds: true, text });
      break;
    }
    case 'maintenance.ended':
      desk.signal({ type: 'maintenance-failed', scope: 'postgres', name: 'missed', holds: false, text: 'done again' });
      break;
    case 'maintenance.wraparound':
      desk.signal({
        ...{ type: 'maintenance-failed', name: 'wraparound', holds: true, forMs: WRAPAROUND_MS },
        scope: `db:${event.shard}`,
        severity: event.age > WRAPAROUND_SEVERE * event.limit ? 'critical' : 'warning',
        text: `the oldest transaction id is ${event.age} old; at ${event.limit} Postgres stops taking writes`,
      });
      break;
    case 'maintenance.started':
      break;
  }
}

function task(desk: Pick<IncidentDesk, 'signal'>, name: string | null, holds: boolean, text: string): void {
  const signal = { type: 'maintenance-failed', scope: 'postgres', holds, text } as const;
  desk.signal(name === null ? signal : { ...signal, name });
}
