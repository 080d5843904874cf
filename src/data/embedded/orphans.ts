import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { identify, isRunning, sendSignal, type ProcessIdentity } from './process-identity';
import { pause } from './pause';

/** A killed process is gone within this time, ms. */
const END_MS = 5_000;
const POLL_MS = 25;

/**
 * Ends the processes that a dead postmaster left on its data. As a rule they end by themselves; one that hangs, or was
 * stopped, would keep the shared memory and so every new server from starting. To be called only when no postmaster runs
 * on the data.
 * @returns how many there were
 */
export async function endOrphans(data: string, signal: AbortSignal): Promise<number> {
  const orphans = processesIn(data);
  for (const orphan of orphans) sendSignal(orphan, 'SIGKILL');
  const until = performance.now() + END_MS;
  while (orphans.some(isRunning) && performance.now() < until) await pause(POLL_MS, signal);
  return orphans.length;
}

/** Every process of Postgres works in its data folder. */
function processesIn(data: string): ProcessIdentity[] {
  let folder: string;
  let entries: string[];
  try {
    folder = realpathSync(data);
    entries = readdirSync('/proc');
  } catch {
    return []; // no data yet, or no /proc here
  }
  return entries.flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return [];
    try {
      const isPostgres = /\/postgres(?: \(deleted\))?$/.test(readlinkSync(`/proc/${pid}/exe`));
      return isPostgres && readlinkSync(`/proc/${pid}/cwd`) === folder ? (identify(pid) ?? []) : [];
    } catch {
      return []; // ended meanwhile, or somebody else's
    }
  });
}
