import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessIdentity } from './process-identity';
import { identify, isRunning } from './process-identity';

/** Zero-based lines of postmaster.pid (PostgreSQL's miscadmin.h). */
const PID_LINE = 0;
const PORT_LINE = 3;

export interface Postmaster {
  identity: ProcessIdentity;
  /** null while it has not noted its port yet. */
  port: number | null;
}

/**
 * The server that runs on the data, or null. A file left by a server that is gone is removed: when its pid has been
 * given to another process, Postgres itself would refuse to start.
 */
export function readPostmaster(data: string): Postmaster | null {
  const file = join(data, 'postmaster.pid');
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch {
    return null;
  }
  const identity = identify(Math.abs(Number(lines[PID_LINE])));
  if (identity !== null && isRunning(identity) && commandLine(identity.pid).includes(data)) {
    return { identity, port: Number(lines[PORT_LINE]) || null };
  }
  rmSync(file, { force: true });
  return null;
}

function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
