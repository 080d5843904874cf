import { readFileSync } from 'node:fs';
import { processStartTime } from '../../ipc/process-start-time';

/** One process for good: pids are used again, a pid with its start time is not. */
export interface ProcessIdentity {
  pid: number;
  startTime: string;
}

/** null when there is no such process. */
export function identify(pid: number): ProcessIdentity | null {
  const startTime = processStartTime(pid);
  return startTime === null ? null : { pid, startTime };
}

/** False also for a zombie: it does no more work, whoever should have reaped it. */
export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  return processStartTime(pid) === startTime && !isZombie(pid);
}

/** Sends a signal; a process that is gone is no error. */
export function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}
