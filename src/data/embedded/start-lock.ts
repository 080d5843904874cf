import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { pause } from './pause';
import { identify, isRunning } from './process-identity';

/** How often the lock is tried while another start holds it, ms. */
const RETRY_MS = 100;

/**
 * Runs `work` while no other start, of this process or another, works on the same folder. A holder that died counts
 * as none.
 *
 * @throws EmbeddedServerError EMBEDDED_ABORTED while waiting
 */
export async function withStartLock<T>(file: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const mine = JSON.stringify({ ...identify(process.pid), nonce: randomBytes(8).toString('hex') });
  while (!tryLock(file, mine)) await pause(RETRY_MS, signal);
  try {
    return await work();
  } finally {
    if (readText(file) === mine) rmSync(file, { force: true });
  }
}

function tryLock(file: string, mine: string): boolean {
  const temp = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temp, mine, { mode: 0o600 });
  try {
    linkSync(temp, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    removeStale(file, temp);
    return false;
  } finally {
    rmSync(temp, { force: true });
  }
}

function removeStale(file: string, temp: string): void {
  const held = readText(file);
  if (held === null || isHeld(held)) return;
  try {
    renameSync(file, temp);
    // Another waiter may have replaced the stale lock since we read it: give back what was not stale.
    const taken = readText(temp);
    if (taken !== null && taken !== held) linkSync(temp, file);
  } catch {
    // another waiter was faster
  }
}

function isHeld(text: string): boolean {
  try {
    const { pid, startTime } = JSON.parse(text) as { pid?: unknown; startTime?: unknown };
    return typeof pid === 'number' && typeof startTime === 'string' && isRunning({ pid, startTime });
  } catch {
    return false;
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
