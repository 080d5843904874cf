import { sortLeftovers } from '../../../src/sharding/handoff/leftovers';
import type { RosterEntry } from '../../../src/sharding/roster';

function entry(incarnation: string, more: Partial<RosterEntry> = {}): RosterEntry {
  return { incarnation, clusterId: 0, pid: 1, startTime: '', shardIds: [], totalShards: 1, ...more } as RosterEntry;
}

describe('processes that an earlier supervisor left', () => {
  const entries = [entry('a'), entry('b'), entry('c', { successorOf: ['a', 'b'] })];

  test.each([
    ['a successor that serves: those that gave to it end by themselves', true, true, ['let-end', 'let-end', 'adopt']],
    ['a successor that has taken nothing: it ends, the others go on', true, false, ['adopt', 'adopt', 'kill']],
    ['a successor that is dead', false, true, ['adopt', 'adopt', 'kill']],
  ])('%s', (_, alive, taken, expected) => {
    const found = sortLeftovers(entries, { isAlive: () => alive, hasTakenOver: () => taken });
    expect(entries.map(({ incarnation }) => found.get(incarnation))).toEqual(expected);
  });
});
