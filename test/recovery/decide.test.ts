import { blastRadius, decide, type Situation } from '../../src/recovery/decide';
import type { Fleet } from '../../src/recovery/fleet';
import type { ActionRecord } from '../../src/recovery/history';
import { STRATEGIES } from '../../src/recovery/strategies';
import type { Strategy } from '../../src/recovery/strategy';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const BUSY = { shard: 'a rollout is under way', cluster: 'a rollout is under way' };

/** Clusters of four shards each; `away` are not ready. */
function fleet(clusters: number, away: readonly number[] = [], states: Readonly<Record<number, string>> = {}): Fleet {
  return {
    clusters: Array.from({ length: clusters }, (_, id) => ({
      id,
      state: states[id] ?? 'ready',
      shards: Array.from({ length: 4 }, (__, index) => ({ id: id * 4 + index, ready: !away.includes(id * 4 + index) })),
      waiting: 0,
    })),
  };
}

function record(change: Partial<ActionRecord> = {}): ActionRecord {
  return {
    at: NOW - 20_000,
    incident: 'i1',
    type: 'memory-pressure',
    scope: 'cluster:1',
    step: 'drop-caches',
    index: 0,
    outcome: { ok: true, text: 'done' },
    endedAt: NOW - 20_000,
    helped: null,
    dryRun: false,
    byHand: false,
    ...change,
  };
}

function situation(change: Partial<Situation> = {}): Situation {
  const strategy: Strategy = change.strategy ?? STRATEGIES['memory-pressure'];
  const limits = strategy.kind === 'act' ? strategy : { coolDownMs: 0, maxPerHour: 0 };
  return {
    now: NOW,
    incident: { id: 'i1', strategy: 'memory-pressure', holds: true, parent: null },
    scope: 'cluster:1',
    strategy,
    limits: { enabled: true, coolDownMs: limits.coolDownMs, maxPerHour: limits.maxPerHour },
    settings: { mode: 'on', maxPerHour: 30, maxShards: 0.25 },
    records: [],
    outage: false,
    busy: { shard: null, cluster: null },
    fleet: fleet(8),
    ...change,
  };
}

const taken = (change: Partial<Situation>): string => {
  const decision = decide(situation(change));
  return decision.kind === 'take' ? `${decision.step.name}${decision.dryRun ? ', said only' : ''}` : decision.kind;
};
const why = (change: Partial<Situation>): string => {
  const decision = decide(situation(change));
  return decision.kind === 'held' ? decision.why : decision.kind;
};

describe('what comes next', () => {
  const failed = (index: number, step: string, at = NOW - 5 * MINUTE): ActionRecord =>
    record({ index, step, at, endedAt: at, helped: false });

  it.each<[string, Partial<Situation>, string]>([
    ['nothing was done yet', {}, 'drop-caches'],
    ['the condition does not hold', { incident: { ...situation().incident, holds: false } }, 'none'],
    ['another incident is the cause', { incident: { ...situation().incident, parent: 'i0' } }, 'none'],
    ['the last step is being done', { records: [record({ outcome: null, endedAt: null })] }, 'none'],
    ['it was done a moment ago', { records: [record({ endedAt: NOW - 5_000 })] }, 'none'],
    ['it has not cleared in its time', { records: [record()] }, 'not-helped'],
    ['it has cleared', { records: [record()], incident: { ...situation().incident, holds: false } }, 'helped'],
    ['the first step has not helped', { records: [failed(0, 'drop-caches')] }, 'collect-garbage'],
    ['two have not helped', { records: [failed(0, 'drop-caches'), failed(1, 'collect-garbage')] }, 'replace-cluster'],
    [
      'none has helped',
      { records: [failed(0, 'drop-caches'), failed(1, 'collect-garbage'), failed(2, 'replace-cluster')] },
      'held',
    ],
    [
      'it had helped, and is back soon',
      { records: [record({ helped: true, at: NOW - 10 * MINUTE })] },
      'collect-garbage',
    ],
    ['it had helped long ago', { records: [record({ helped: true, at: NOW - 61 * MINUTE })] }, 'drop-caches'],
    [
      'the last step had helped, and is back',
      { records: [record({ helped: true, index: 2, step: 'replace-cluster', at: NOW - 30 * MINUTE })] },
      'replace-cluster',
    ],
    ['dry run', { settings: { ...situation().settings, mode: 'dry-run' } }, 'drop-caches, said only'],
    [
      'dry run, said already',
      { settings: { ...situation().settings, mode: 'dry-run' }, records: [record({ dryRun: true })] },
      'none',
    ],
    [
      'another scope of the incident was worked on',
      { records: [record({ scope: 'cluster:2', helped: true })] },
      'drop-caches',
    ],
  ])('%s', (_, change, expected) => expect(taken(change)).toBe(expected));
});

describe('why not', () => {
  const shardStuck = {
    strategy: STRATEGIES['shard-stuck'],
    incident: { id: 'i1', strategy: 'shard-stuck' as const, holds: true, parent: null },
    scope: 'shard:5' as const,
  };

  it.each<[string, Partial<Situation>, RegExp]>([
    ['nothing can be done', { strategy: STRATEGIES['discord-outage'] }, /Outage mode holds everything still/],
    ['switched off as a whole', { settings: { ...situation().settings, mode: 'off' } }, /switched off/],
    ['switched off for it', { limits: { enabled: false, coolDownMs: 0, maxPerHour: 9 } }, /switched off/],
    ['Discord is out', { ...shardStuck, outage: true }, /Discord itself is out/],
    ['a rollout is under way', { ...shardStuck, busy: BUSY }, /it waits: a rollout/],
    [
      'its cluster is starting anyway',
      { ...shardStuck, fleet: fleet(8, [], { 1: 'booting' }) },
      /cluster 1 is being started already/,
    ],
    [
      'it was done for another incident just now',
      { records: [record({ incident: 'i0', helped: true, at: NOW - MINUTE })] },
      /drop-caches was done 60 s ago; not again before 10 min/,
    ],
    [
      'enough of its kind in this hour',
      {
        limits: { enabled: true, coolDownMs: 0, maxPerHour: 2 },
        records: [1, 2].map((n) => record({ incident: `i${n + 1}`, scope: `cluster:${n + 1}`, helped: true })),
      },
      /2 actions of its kind in this hour/,
    ],
    [
      'enough in this hour',
      {
        settings: { ...situation().settings, maxPerHour: 2 },
        records: [1, 2].map((n) => record({ incident: `i${n + 1}`, type: 'disk-low', scope: 'host', helped: true })),
      },
      /recovery.maxPerHour/,
    ],
  ])('%s', (_, change, expected) => expect(why(change)).toMatch(expected));

  it('more connections help an error rate only where callers wait for one', () => {
    const errors = {
      strategy: STRATEGIES['error-rate'],
      incident: { id: 'i1', strategy: 'error-rate' as const, holds: true, parent: null },
    };
    expect(why(errors)).toBe('no caller waits for a database connection');
    const clusters = fleet(2).clusters.map((cluster) => ({ ...cluster, waiting: cluster.id === 1 ? 3 : 0 }));
    expect(taken({ ...errors, fleet: { clusters } })).toBe('add-connections');
    expect(taken({ ...errors, scope: 'bot', fleet: { clusters } })).toBe('add-connections');
    expect(why({ ...errors, scope: 'cluster:0', fleet: { clusters } })).toMatch(/no caller waits/);
  });

  it('an hour later there is room again', () => {
    const records = [1, 2].map((n) =>
      record({ incident: `i${n + 1}`, scope: `cluster:${n + 1}`, helped: true, at: NOW - 61 * MINUTE }),
    );
    expect(taken({ limits: { enabled: true, coolDownMs: 0, maxPerHour: 2 }, records })).toBe('drop-caches');
  });

  it('what needs no gateway is done while Discord is out, and during a rollout', () => {
    expect(taken({ outage: true, busy: BUSY })).toBe('drop-caches');
  });
});

describe('how much at once', () => {
  const radius = (
    fleetNow: Fleet,
    scope: Situation['scope'],
    touches: 'shard' | 'cluster',
    records: ActionRecord[] = [],
  ) => blastRadius({ scope, fleet: fleetNow, records, settings: situation().settings }, { touches });
  const replacing = (scope: Situation['scope']): ActionRecord =>
    record({ scope, step: 'replace-cluster', index: 2, outcome: null, endedAt: null });

  it.each<[string, string | null, boolean]>([
    ['one cluster of eight', radius(fleet(8), 'cluster:1', 'cluster'), true],
    [
      'a second one of eight: a quarter of the shards',
      radius(fleet(8), 'cluster:1', 'cluster', [replacing('cluster:0')]),
      true,
    ],
    ['a third one', radius(fleet(8), 'cluster:1', 'cluster', [replacing('cluster:0'), replacing('cluster:2')]), false],
    ['the only cluster', radius(fleet(1), 'cluster:0', 'cluster'), true],
    ['one of two, while the other is out', radius(fleet(2, [0, 1, 2, 3]), 'cluster:1', 'cluster'), false],
    ['one that is out itself', radius(fleet(2, [0, 1, 2, 3]), 'cluster:0', 'cluster'), true],
    ['a shard, while a third of all are out', radius(fleet(3, [0, 1, 2, 3]), 'shard:9', 'shard'), false],
    ['a shard that is out with many others', radius(fleet(8, [0, 1, 2, 3, 4, 5, 6, 7, 8]), 'shard:4', 'shard'), true],
    [
      'the ninth deaf shard of 32 at once',
      radius(
        fleet(8),
        'shard:31',
        'shard',
        [0, 1, 2, 3, 4, 5, 6, 7].map((id) => record({ scope: `shard:${id}`, step: 'reconnect-shard' })),
      ),
      false,
    ],
    [
      'what was acted on and is known to be well',
      radius(fleet(2), 'cluster:1', 'cluster', [
        { ...replacing('cluster:0'), outcome: { ok: true, text: '' }, helped: true },
      ]),
      true,
    ],
  ])('%s', (_, refusal, allowed) => expect(refusal === null).toBe(allowed));
});
