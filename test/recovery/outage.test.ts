import { judgeOutage, OutageWatch, type OutageEvidence } from '../../src/recovery/outage';

const NOW = 1_800_000_000_000;

function evidence(change: Partial<OutageEvidence> = {}): OutageEvidence {
  return {
    now: NOW,
    shards: 16,
    connected: 16,
    refused: 0,
    unanswered: 0,
    failures: 0,
    lastSuccessAt: null,
    since: null,
    notBefore: 0,
    ...change,
  };
}

it.each<[string, Partial<OutageEvidence>, 'enter' | 'leave' | null]>([
  ['all is well', {}, null],
  ['all shards away, many refused', { connected: 0, refused: 5, failures: 5 }, 'enter'],
  ['all away, but nobody was refused yet', { connected: 0 }, null],
  ['all away, one refused over and over: its own trouble', { connected: 0, refused: 1, failures: 20 }, null],
  ['a third away', { connected: 11, refused: 5, failures: 9 }, null],
  ['half away', { connected: 8, refused: 5, failures: 9 }, 'enter'],
  ['the only shard of a small bot', { shards: 1, connected: 0, refused: 1, failures: 5 }, 'enter'],
  ['the only shard, first refusals', { shards: 1, connected: 0, refused: 1, failures: 4 }, null],
  ['connects, but IDENTIFY is not answered', { connected: 2, unanswered: 14 }, 'enter'],
  ['a start: few shards wait for READY', { connected: 0, unanswered: 2 }, null],
  ['no shards at all', { shards: 0, connected: 0, refused: 5, failures: 9 }, null],
  ['ended by hand a moment ago', { connected: 0, refused: 5, failures: 9, notBefore: NOW + 1 }, null],
  ['in it, nothing changed', { since: NOW - 9_000, connected: 0, refused: 5, failures: 9 }, null],
  ['in it, the first are back', { since: NOW - 9_000, connected: 4, lastSuccessAt: NOW - 10 }, null],
  ['in it, most are back', { since: NOW - 9_000, connected: 13, lastSuccessAt: NOW - 10 }, 'leave'],
  [
    'in it, most seem connected but none has come back',
    { since: NOW - 9_000, connected: 13, lastSuccessAt: NOW - 9_999 },
    null,
  ],
])('%s', (_, change, expected) => expect(judgeOutage(evidence(change))).toBe(expected));

it('counts distinct shards, and forgets refusals when a shard gets through or time goes by', () => {
  const watch = new OutageWatch();
  const seen = { shards: 16, connected: 0, unanswered: 0 };
  for (const shard of [1, 1, 2, 3]) watch.attempted(shard, 'refused', NOW);
  watch.attempted(2, null, NOW + 1);
  expect(watch.evidence(seen, NOW + 2)).toMatchObject({ refused: 2, failures: 4, lastSuccessAt: NOW + 1 });
  expect(watch.evidence(seen, NOW + 60_001)).toMatchObject({ refused: 0, failures: 0 });
});
