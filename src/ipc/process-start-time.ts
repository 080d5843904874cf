import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Position of `starttime` in /proc/<pid>/stat, counted after the command name (proc(5), field 22). */
const START_TIME_FIELD = 19;
/** The process state of one that has ended and was not collected by its parent. */
const ZOMBIE = 'Z';

/**
 * When a process started, as an opaque text: together with the pid it names one process for good, since pids are used
 * again. null when there is no such process, or only its remains: a zombie stays for ever where nobody collects it, as in
 * a container whose first process does not.
 */
export function processStartTime(pid: number): string | null {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name stands in brackets and may itself hold blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === ZOMBIE ? null : (fields[START_TIME_FIELD] ?? null);
  } catch {
    return null;
  }
}

function fromPs(pid: number): string | null {
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim().startsWith(ZOMBIE) ? null : text.trim().replace(/^\S+\s*/, '') || null;
  } catch {
    return null;
  }
}
