import type { RosterEntry } from '../roster';

/** What is to become of a process that an earlier supervisor left. */
export type Leftover =
  | 'adopt'
  | 'kill' // a successor that has not taken over: its predecessor goes on
  | 'let-end'; // a predecessor that has given all away: it ends by itself

/** Decides for each entry, by incarnation, so that no two processes are left for one shard. Pure. */
export function sortLeftovers(
  entries: readonly RosterEntry[],
  facts: { isAlive: (entry: RosterEntry) => boolean; hasTakenOver: (entry: RosterEntry) => boolean },
): Map<string, Leftover> {
  const found = new Map<string, Leftover>();
  for (const entry of entries) found.set(entry.incarnation, entry.retired === true ? 'let-end' : 'adopt');
  for (const entry of entries) {
    if (entry.successorOf === undefined) continue;
    const serves = facts.isAlive(entry) && facts.hasTakenOver(entry);
    found.set(entry.incarnation, serves ? 'adopt' : 'kill');
    if (!serves) continue;
    for (const predecessor of entry.successorOf) if (found.has(predecessor)) found.set(predecessor, 'let-end');
  }
  return found;
}
