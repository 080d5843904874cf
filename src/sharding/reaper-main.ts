import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LEAVING_FILE } from '../ipc/messages';
import { processStartTime } from '../ipc/process-start-time';
import { isAlive } from './cluster/cluster-process';
import { readReaperRecord } from './reaper';
import { Roster, type RosterEntry } from './roster';

const POLL_MS = 200;

/**
 * Ends what has outlived its supervisor and its grace time. What has begun to leave may finish, within the deadline.
 *
 * @param deadlineMs from now on
 */
async function reap(dir: string, deadlineMs: number, supervisor: { pid: number; startTime: string }): Promise<void> {
  const roster = new Roster(dir);
  const end = Date.now() + deadlineMs;
  const isLeaving = ({ incarnation }: RosterEntry): boolean => existsSync(join(dir, incarnation, LEAVING_FILE));
  while (isResponsible(dir) && processStartTime(supervisor.pid) !== supervisor.startTime) {
    const alive = roster.read().filter(({ pid, startTime }) => isAlive(pid, startTime));
    if (alive.length === 0) return;
    const over = Date.now() >= end;
    for (const entry of alive) if (over || !isLeaving(entry)) kill(entry.pid);
    await delay(POLL_MS);
  }
}

/** A new supervisor has a reaper of its own. */
function isResponsible(dir: string): boolean {
  const record = readReaperRecord(dir);
  return record?.pid === process.pid && record.startTime === processStartTime(process.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}

const [dir = '', deadlineMs = '0', pid = '0', startTime = ''] = process.argv.slice(2);
void reap(dir, Number(deadlineMs), { pid: Number(pid), startTime });
