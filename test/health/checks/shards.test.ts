import { ShardsCheck } from '../../../src/health/checks/shards';
import type { LiveBot } from '../../../src/health/live';
import type { ShardReport } from '../../../src/ipc/messages';
import { aBot, aReport, HEARTBEAT_MS } from '../support/live-bot';

const START = 1_800_000_000_000;
const RECONNECT_MS = 60_000;

let now: number;
let bot: LiveBot | null;
let check: ShardsCheck;

beforeEach(() => {
  now = START;
  bot = null;
  check = new ShardsCheck({
    live: () => bot,
    now: () => now,
    ackIntervals: 2,
    missingEvents: 100,
    reconnectMs: RECONNECT_MS,
  });
});

function look(shards: ShardReport[], over: Partial<LiveBot> = {}): [boolean | null, string] {
  bot = aBot(now, shards, over);
  const [reading] = check.look();
  return [reading!.ok, reading!.message];
}

it('a shard whose heartbeats are acknowledged is well', () => {
  expect(look([aReport(0, now)])).toEqual([true, 'heartbeat acknowledged 10s ago, last event 500ms ago']);
});

it.each<[string, (at: number) => Partial<ShardReport>, boolean | null]>([
  ['acknowledged just before the next one', (at) => ({ lastAckAt: at - HEARTBEAT_MS }), true],
  ['acknowledged two intervals ago, told late', (at) => ({ lastAckAt: at - 2 * HEARTBEAT_MS - 7_500 }), true],
  ['not acknowledged for longer', (at) => ({ lastAckAt: at - 2 * HEARTBEAT_MS - 7_501 }), false],
  ['not acknowledged, with a ping that keeps its good value', (at) => ({ pingMs: 12, lastAckAt: at - 600_000 }), false],
  ['not acknowledged, while events still come', (at) => ({ lastEventAt: at, lastAckAt: at - 600_000 }), false],
  ['of an older connection', (at) => ({ lastAckAt: at - 600_000, since: at - 5_000 }), true],
  ['none yet on this connection', (at) => ({ lastAckAt: null, since: at - 5_000 }), true],
  ['never any', (at) => ({ lastAckAt: null, since: at - 600_000 }), false],
  ['interval not known', () => ({ heartbeatIntervalMs: null }), null],
])('heartbeat %s', (_, over, ok) => {
  expect(look([aReport(0, now, over(now))])[0]).toBe(ok);
});

describe('a shard that is not connected', () => {
  it('has time to connect again, however it stumbles on the way', () => {
    look([aReport(0, now)]);
    const states = ['disconnected', 'connecting', 'resuming', 'disconnected', 'connecting', 'resuming'] as const;
    for (const [turn, phase] of states.entries()) {
      now = START + (turn + 1) * 10_000;
      expect(look([aReport(0, now, { phase })])[0]).toBe(null);
    }
    now += RECONNECT_MS;
    expect(look([aReport(0, now, { phase: 'connecting' })])).toEqual([false, 'connecting, not connected for 2m']);
    expect(look([aReport(0, now, { since: now })])[0]).toBe(true);
  });

  it('is not ill while it waits for its first turn, nor is one that Discord closed well', () => {
    for (const phase of ['idle', 'connecting', 'queued'] as const) {
      now += 3_600_000;
      const state = phase === 'idle' ? 'waiting' : phase;
      expect(look([aReport(0, now, { phase })], { shards: [{ id: 0, cluster: 0, state }] })[0]).toBe(null);
    }
    expect(look([aReport(0, now, { phase: 'dead' })])).toEqual([false, 'closed by Discord for good']);
  });

  it('is ill at once when its cluster is down', () => {
    const cluster = { id: 0, state: 'crash-loop', agent: true, uptimeMs: null, sample: null };
    expect(look([aReport(0, now, { phase: 'idle' })], { clusters: [cluster] })).toEqual([
      false,
      'cluster 0 is down (crash-loop)',
    ]);
  });
});

it('without the agent nothing is said', () => {
  bot = aBot(now, [aReport(0, now)]);
  bot = { ...bot, clusters: bot.clusters.map((cluster) => ({ ...cluster, agent: false })) };
  expect(check.look()).toEqual([]);
});

describe('events', () => {
  let events: number;

  /** Rounds of 30 s in which so many events came, evenly; 0: none, the last one being as old as it is. */
  function rounds(count: number, perRound: number): [boolean | null, string] {
    let last: [boolean | null, string] = [null, ''];
    for (let i = 0; i < count; i++) {
      now += 30_000;
      events += perRound;
      if (perRound > 0) lastEventAt = now - 100;
      last = look([aReport(0, now, { events, lastEventAt, lastAckAt: now - 5_000, since: START })]);
    }
    return last;
  }
  let lastEventAt: number;

  beforeEach(() => {
    events = 50_000;
    lastEventAt = START;
  });

  it('that cease on a busy shard mean that it is deaf, though its heartbeats are acknowledged; for as long as it lasts', () => {
    expect(rounds(20, 150)[0]).toBe(true);
    expect(rounds(1, 0)[0]).toBe(true);
    const [ok, message] = rounds(2, 0);
    expect(ok).toBe(false);
    expect(message).toBe('no event for 2m, while 300 a minute are usual: connected, but deaf');
    expect(rounds(2_880, 0)[0]).toBe(false); // a day of silence does not become usual
    expect(rounds(1, 150)[0]).toBe(true);
  });

  it('that are rare may stay away for long', () => {
    for (let i = 0; i < 20; i++) {
      rounds(9, 0);
      expect(rounds(1, 1)[0]).toBe(true);
    }
    expect(rounds(120, 0)[0]).toBe(true); // an hour: twelve of them missing
    expect(rounds(2_000, 0)[0]).toBe(false);
  });

  it('that grow fewer by and by, as in the night, are as usual', () => {
    for (let perRound = 512; perRound >= 1; perRound /= 2) expect(rounds(40, perRound)[0]).toBe(true);
  });

  it('of the start are no rate', () => {
    look([aReport(0, now, { phase: 'guilds', events: 0 })]);
    events = 100_000; // guilds that arrived at once
    expect(rounds(9, 1)[0]).toBe(true);
    expect(rounds(20, 0)[0]).toBe(true);
  });

  it('of a new process are counted from its own beginning', () => {
    rounds(20, 150);
    events = 0;
    expect(rounds(3, 150)[0]).toBe(true);
    expect(rounds(3, 0)[0]).toBe(false);
  });
});
