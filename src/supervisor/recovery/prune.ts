import { rm, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listLogFiles } from '../../logging/log-files';

/** What is younger than this, ms, may still be in the making. */
const YOUNG_MS = 10 * 60 * 1_000;

/**
 * Deletes of botctl's own files what nobody needs: all log files but the newest two, halves of files that were being
 * written when a process died, saved caches that no session belongs to any more.
 * @returns bytes that are free now
 */
export async function pruneState(stateDir: string, now: number): Promise<{ files: number; bytes: number }> {
  const logs = (await listLogFiles(join(stateDir, 'logs'))).slice(0, -2).map(({ path }) => path);
  const halves = await halfWritten(stateDir, now);
  let files = 0;
  let bytes = 0;
  for (const path of [...logs, ...halves]) {
    try {
      const { size } = await stat(path);
      await rm(path);
      files++;
      bytes += size;
    } catch {
      // gone already, or not ours to delete
    }
  }
  return { files, bytes };
}

/** `NAME.new` is renamed once it is whole: an old one never will be. */
async function halfWritten(dir: string, now: number): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
    const path = join(dir, entry.name);
    // Data of servers and releases are for others to delete.
    if (entry.isDirectory()) {
      if (['clusters', 'sessions', 'metrics', 'incidents'].includes(entry.name)) {
        found.push(...(await halfWritten(path, now)));
      }
    } else if (entry.name.endsWith('.new')) {
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
      if (now - mtimeMs > YOUNG_MS) found.push(path);
    }
  }
  return found;
}
