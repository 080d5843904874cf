import { join } from 'node:path';
import { isAlive } from './cluster/cluster-process';
import { Roster } from './roster';
import { FileSessionStore, SESSIONS_DIR } from './session-store';

/**
 * The shard count of the run before this one, if clusters of it still live or its sessions can still be resumed: with
 * `totalShards: auto` it is kept, or a changed recommendation would turn a quick restart into a full identify.
 */
export function previousTotalShards(stateDir: string, now: () => number): number | undefined {
  const living = new Roster(join(stateDir, 'clusters')).read().find(({ pid, startTime }) => isAlive(pid, startTime));
  if (living !== undefined) return living.totalShards;
  return new FileSessionStore(join(stateDir, SESSIONS_DIR), now).savedTotal() ?? undefined;
}
