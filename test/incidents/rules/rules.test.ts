import type { Sample, ShardReport } from '../../../src/ipc/messages';
import type { Readings } from '../../../src/ipc/readings';
import type { CheckFact, Occurrence } from '../../../src/incidents/window';
import { aSample, aShard, sketch } from '../../metrics/fleet';
import { DEFAULTS, MINUTE, Recording, SECOND } from '../support/recording';
import { START, aBot, aCluster, aReadyShard } from '../support/scene';

/** Counters and durations that a cluster has counted at that time, at these rates. */
function counted(
  ms: number,
  { calls = 2, failures = 0, seconds = 0.2 }: { calls?: number; failures?: number; seconds?: number },
): Readings {
  const count = Math.floor((ms / SECOND) * calls);
  const failed = Math.floor(count * failures);
  return {
    counters: [
      { name: 'interactions_total', labels: { kind: 'command' }, value: count },
      { name: 'interaction_failures_total', labels: { reason: 'refused' }, value: failed },
    ],
    gauges: [],
    sketches: [{ name: 'interaction_response_seconds', ...scaled(seconds, count) }],
  };
}

function scaled(seconds: number, count: number): { sum: number; buckets: number[] } {
  const { buckets } = sketch([seconds]);
  return { sum: seconds * count, buckets: [buckets[0]!, count] };
}

const all = (readings: (cluster: number) => Readings, at: number): Record<number, Sample> =>
  Object.fromEntries([0, 1, 2, 3].map((id) => [id, aSample({ at, readings: readings(id) })]));

function answers(rate: (cluster: number) => Parameters<typeof counted>[1]): (recording: Recording) => Recording {
  return (recording) =>
    recording.play(4 * MINUTE, (ms) => ({ samples: all((id) => counted(ms, rate(id)), recording.now) }));
}

describe('answers', () => {
  it.each([
    ['4 % fail', answers(() => ({ failures: 0.04 })), []],
    ['6 % fail', answers(() => ({ failures: 0.06 })), ['error-rate bot']],
    ['one cluster fails', answers((id) => ({ failures: id === 2 ? 0.5 : 0 })), ['error-rate cluster:2']],
    ['two clusters fail', answers((id) => ({ failures: id < 2 ? 0.5 : 0 })), ['error-rate bot']],
    ['all fail, but hardly anybody asks', answers(() => ({ calls: 0.01, failures: 1 })), []],
    ['4.5 s on the average', answers(() => ({ seconds: 4.5 })), []],
    ['6 s on the average', answers(() => ({ seconds: 6 })), ['slow-responses bot']],
    ['one cluster is slow', answers((id) => ({ seconds: id === 3 ? 20 : 0.1 })), ['slow-responses cluster:3']],
  ])('%s', (_, play, expected) => {
    expect(play(new Recording()).opened).toEqual(expected);
  });

  it('a cluster that is there no more: nobody is told of what it did', () => {
    const recording = new Recording();
    const failing = (ms: number): Record<number, Sample> =>
      all((id) => counted(ms, { failures: id === 3 ? 0.5 : 0 }), ms);
    recording.play(4 * MINUTE, (ms) => ({ samples: failing(ms), bot: aBot({}, 3) }));
    expect(recording.opened).toEqual([]);
    recording.play(MINUTE, (ms) => ({ samples: failing(4 * MINUTE + ms), bot: aBot({}, 4) }));
    expect(recording.opened).toHaveLength(1);
    recording.play(4 * MINUTE, (ms) => ({ samples: failing(5 * MINUTE + ms), bot: aBot({}, 3) }));
    expect(recording.open).toEqual([]);
  });

  it('a share at the edge of the threshold does not flap', () => {
    const recording = new Recording();
    const failures = { count: 0, calls: 0 };
    recording.play(30 * MINUTE, (ms) => {
      failures.calls += 40;
      failures.count += 40 * (Math.floor(ms / MINUTE) % 2 === 0 ? 0.052 : 0.049);
      const readings = (): Readings => ({
        counters: [
          { name: 'interactions_total', labels: { kind: 'command' }, value: failures.calls },
          { name: 'interaction_failures_total', labels: { reason: 'refused' }, value: failures.count },
        ],
        gauges: [],
        sketches: [],
      });
      return { samples: all(readings, recording.now) };
    });
    expect(recording.opened.length).toBeLessThanOrEqual(1);
    expect(recording.resolved).toEqual([]);
  });

  it('REST calls that Discord fails are told of REST, and explain the answers', () => {
    const recording = new Recording();
    recording.play(3 * MINUTE, (ms) => {
      const failed = Math.floor(ms / 100);
      const readings = (): Readings => ({
        ...counted(ms, { failures: 0.9 }),
        counters: [
          ...counted(ms, { failures: 0.9 }).counters,
          { name: 'rest_requests_total', labels: { route: 'POST /x', status: '502' }, value: failed },
          { name: 'rest_requests_total', labels: { route: 'POST /x', status: '200' }, value: 100 },
        ],
      });
      return { samples: all(readings, recording.now) };
    });
    expect(recording.opened).toEqual(['error-rate rest']);
  });
});

describe('memory', () => {
  const grown = (mb: (ms: number) => number, uptimeMs = 3_600_000, heap = 200) => {
    const recording = new Recording();
    return recording.play(15 * MINUTE, (ms) => {
      const rssBytes = mb(ms) * 1e6;
      const sample = { rssBytes, heapUsedBytes: heap * 1e6, heapLimitBytes: 2_000e6 };
      const bot = aBot({ clusters: [aCluster(0, { uptimeMs: uptimeMs + ms, sample })] });
      return { bot, samples: { 0: aSample({ at: recording.now, ...sample }) } };
    });
  };

  it.each([
    ['grows by 90 MB and stays', grown((ms) => (ms > 5 * MINUTE ? 390 : 300)), []],
    ['grows by 150 MB', grown((ms) => (ms > 5 * MINUTE ? 450 : 300)), ['memory-pressure cluster:0']],
    ['leaks 30 MB a minute', grown((ms) => 300 + (ms / MINUTE) * 30), ['memory-pressure cluster:0']],
    ['breathes: 80 MB up and down with each collection', grown((ms) => 300 + ((ms / SECOND) % 40) * 2), []],
    ['fills its caches after the start', grown((ms) => 100 + Math.min(400, (ms / MINUTE) * 80), 0), []],
    ['a large one breathes by 300 MB of 3 GB', grown((ms) => 3_000 + ((ms / SECOND) % 60) * 5), []],
    ['its heap is nearly full', grown(() => 300, 0, 1_900), ['memory-pressure cluster:0']],
  ])('%s', (_, recording, expected) => {
    expect(recording.opened).toEqual(expected);
  });

  it('a spike is over when the window has passed it', () => {
    const recording = grown((ms) => (ms > 2 * MINUTE ? 450 : 300));
    expect(recording.resolved).toEqual(['memory-pressure cluster:0']);
  });
});

describe('clusters', () => {
  const crash = (cluster: number, at: number, reason = 'exit code 1'): Occurrence => ({
    kind: 'crash',
    at,
    cluster,
    reason,
  });

  it('one crash: one incident, over when the next process serves', () => {
    const recording = new Recording().play(5 * MINUTE, (ms) => ({
      bot: aBot({ clusters: [aCluster(0, { state: ms > 0 && ms < 40 * SECOND ? 'starting' : 'ready' }), aCluster(1)] }),
      occurrences: ms === 10 * SECOND ? [crash(0, START + ms)] : [],
    }));
    expect(recording.opened).toEqual(['cluster-crash cluster:0']);
    expect(recording.resolved).toEqual(['cluster-crash cluster:0']);
    expect(recording.openedAfter).toBe(10 * SECOND);
  });

  it('three crashes: a crash loop, in one incident', () => {
    const recording = new Recording().play(3 * MINUTE, (ms) => ({
      bot: aBot({ clusters: [aCluster(0, { state: 'backoff' }), aCluster(1)] }),
      occurrences: ms % (30 * SECOND) === 0 && ms > 0 ? [crash(0, START + ms)] : [],
    }));
    expect(recording.opened).toEqual(['cluster-crash cluster:0']);
    expect(recording.open).toHaveLength(1);
    expect(recording.open[0]).toMatchObject({ type: 'crash-loop', severity: 'critical' });
  });

  it('a hang explains the kill that follows', () => {
    const recording = new Recording().play(5 * MINUTE, (ms) => ({
      bot: aBot({ clusters: [aCluster(0, { state: ms > 0 && ms < MINUTE ? 'hung' : 'ready' }), aCluster(1)] }),
      occurrences:
        ms === 20 * SECOND ? [{ kind: 'hung', at: START + ms, cluster: 0 }, crash(0, START + ms, 'hung for 30 s')] : [],
    }));
    expect(recording.opened).toEqual(['cluster-hung cluster:0']);
  });

  it('a refused token explains all that goes with it', () => {
    const fatal = 'Discord refused the token (close code 4004).';
    const bot = aBot({ fatal, clusters: [0, 1, 2, 3].map((id) => aCluster(id, { state: 'fatal', message: fatal })) });
    expect(new Recording().play(MINUTE, () => ({ bot, checks: shardChecks(16) })).opened).toEqual([
      'cluster-fatal bot',
    ]);
  });
});

function shardChecks(count: number): CheckFact[] {
  return Array.from({ length: count }, (_, id) => ({
    check: 'shards',
    scope: `shard:${id}` as const,
    failing: true,
    answered: true,
    message: 'disconnected, not connected for 1m',
  }));
}

describe('shards and Discord', () => {
  const drop = (shard: number, at: number): Occurrence => ({
    kind: 'disconnect',
    at,
    cluster: Math.floor(shard / 4),
    shard,
    closeCode: 1006,
  });

  it.each([
    ['a shard that breaks twice', [3, 3], []],
    ['a shard that breaks three times', [3, 3, 3], ['shard-disconnects shard:3']],
    ['three shards that break once', [1, 5, 9], ['shard-disconnects bot']],
  ])('%s', (_, shards, expected) => {
    const recording = new Recording().play(2 * MINUTE, (ms) => {
      const shard = shards[ms / (10 * SECOND)];
      return { occurrences: shard === undefined ? [] : [drop(shard, START + ms)] };
    });
    expect(recording.opened).toEqual(expected);
  });

  it('a bot with 2,000 shards loses a few each minute, which is nothing', () => {
    const bot = aBot({
      shards: Array.from({ length: 2_000 }, (_, id) => aReadyShard(id, Math.floor(id / 8))),
    });
    const recording = new Recording().play(30 * MINUTE, (ms) => ({
      bot,
      occurrences: ms % (10 * SECOND) === 0 ? [drop(((ms / (10 * SECOND)) * 7) % 2_000, START + ms)] : [],
    }));
    expect(recording.opened).toEqual([]);
  });

  it('an outage of five minutes is one incident, whatever it brings', () => {
    const begin = MINUTE;
    const end = 6 * MINUTE;
    const recording = new Recording().play(20 * MINUTE, (ms) => {
      const isOut = ms >= begin && ms < end;
      const shards = aBot().shards.map((shard) => ({ ...shard, state: isOut ? 'disconnected' : 'ready' }));
      const gate =
        isOut && ms > begin + 15 * SECOND ? ({ gate: 'backing-off', reason: 'ECONNREFUSED' } as const) : undefined;
      return {
        bot: aBot({ shards, ...(gate && { gate }) }),
        occurrences: ms === begin ? shards.map(({ id }) => drop(id, START + ms)) : [],
        checks: isOut && ms > begin + MINUTE ? shardChecks(16) : [],
        samples: all(() => counted(ms, { failures: isOut ? 0.5 : 0 }), START + ms),
      };
    });
    expect(recording.opened).toEqual(['discord-outage bot']);
    expect(recording.openedAfter).toBe(begin);
    expect(recording.resolved).toEqual(['discord-outage bot']);
    expect(recording.open).toEqual([]);
  });

  it.each([
    [5, 'ready', []],
    [20, 'ready', ['guild-drop bot']],
    [100, 'guilds', []], // they are still arriving
  ])('%d guilds of each shard are taken away; the shards are %s', (unavailableGuilds, state, expected) => {
    const recording = new Recording().play(10 * MINUTE, (ms) => ({
      bot: aBot({
        shards: aBot().shards.map((shard) =>
          ms > MINUTE && ms < 5 * MINUTE ? { ...shard, unavailableGuilds, state } : shard,
        ),
      }),
    }));
    expect(recording.opened.filter((what) => what.startsWith('guild-drop'))).toEqual(expected);
    expect(recording.open).toEqual([]);
  });

  it('a change of the number of shards takes no guild away', () => {
    const shards = (count: number, guilds: number): ReturnType<typeof aBot>['shards'] =>
      Array.from({ length: count }, (_, id) => ({ ...aReadyShard(id, Math.floor(id / 4)), guilds }));
    const recording = new Recording().play(10 * MINUTE, (ms) => {
      const now = ms < 2 * MINUTE ? shards(16, 600) : shards(24, 400);
      return {
        bot: aBot({ shards: now }, now.length / 4),
        facts: now.map(({ id, cluster, guilds }) => {
          return { name: 'shard_guilds', labels: { cluster: String(cluster), shard: String(id) }, value: guilds };
        }),
      };
    });
    expect(recording.opened).toEqual([]);
  });
});

describe('servers and limits', () => {
  const fails = (check: string, scope: CheckFact['scope'], message = 'connect ECONNREFUSED'): CheckFact => ({
    check,
    scope,
    failing: true,
    answered: true,
    message,
  });

  it.each([
    ['one database', [fails('postgres', 'db:1')], ['database-down db:1']],
    ['all databases', [0, 1, 2, 3].map((id) => fails('postgres', `db:${id}`)), ['database-down postgres']],
    ['no connection left', [fails('postgres', 'db:0', 'sorry, too many clients already')], ['pool-exhausted db:0']],
    ['Redis', [fails('redis', 'redis')], ['redis-down redis']],
    ['the disk', [fails('disk', 'host', '10 MB of 40 GB free')], ['disk-low host']],
    [
      'a disk that does not answer',
      [{ ...fails('disk', 'host', 'no answer within 5s'), answered: false }],
      ['health-check/disk host'],
    ],
    ['the machine', [fails('memory', 'host', '99 % in use')], ['memory-pressure host']],
    ["a check of the bot's", [fails('music', 'cluster:1')], ['health-check/music cluster:1']],
    ['nothing that does not fail', [{ ...fails('redis', 'redis'), failing: false }], []],
  ])('%s', (_, checks, expected) => {
    expect(new Recording().play(MINUTE, () => ({ checks })).opened).toEqual(expected);
  });

  it('a full disk explains the database that it stops', () => {
    const checks = [fails('disk', 'host'), fails('postgres', 'db:0'), fails('postgres', 'db:1')];
    expect(new Recording().play(MINUTE, () => ({ checks })).opened).toEqual(['disk-low host']);
  });

  it('identifies, by how many are left', () => {
    const budget = { total: 1_000, remaining: 1_000, reserve: 100, resetAt: START + 3_600_000 };
    const recording = new Recording().play(20 * MINUTE, (ms) => ({
      bot: aBot({ identify: { budget: { ...budget, remaining: 1_000 - ms / SECOND } } }),
    }));
    expect(recording.opened).toEqual(['identify-budget-low bot']);
    expect(recording.openedAfter).toBe(750 * SECOND);
    expect(recording.open[0]).toMatchObject({ severity: 'critical' });
  });

  it.each([
    ['a few 429', 20, 0, []],
    ['many 429', 100, 0, ['rest-429-storm rest']],
    ['refused calls, a third of what Discord allows', 0, 3_500, ['invalid-requests rest']],
  ])('%s', (_, limited, invalid, expected) => {
    const recording = new Recording();
    recording.play(2 * MINUTE, (ms) => ({
      samples: {
        0: aSample({
          at: recording.now,
          readings: {
            counters: [
              { name: 'rest_rate_limited_total', labels: { scope: 'user' }, value: ms < MINUTE ? 0 : limited },
              { name: 'rest_invalid_requests_total', value: ms < MINUTE ? 0 : invalid },
            ],
            gauges: [],
            sketches: [],
          },
        }),
      },
    }));
    expect(recording.opened).toEqual(expected);
  });

  it('what the guard says: a refused token, a ban', () => {
    const labels = {};
    const facts = (name: 'rest_guard_unauthorized' | 'rest_guard_banned') => [{ name, labels, value: 1 }];
    const opened = (name: 'rest_guard_unauthorized' | 'rest_guard_banned') =>
      new Recording().play(MINUTE, () => ({ facts: facts(name) })).opened;
    expect(opened('rest_guard_unauthorized')).toEqual(['rest-unauthorized rest']);
    expect(opened('rest_guard_banned')).toEqual(['invalid-requests rest']);
  });

  it('a late event loop explains slow answers of its cluster', () => {
    const recording = new Recording();
    recording.play(5 * MINUTE, (ms) => ({
      samples: {
        0: aSample({ at: recording.now, loopDelayP99Ms: 3_000, readings: counted(ms, { seconds: 8 }) }),
        1: aSample({ at: recording.now, readings: counted(ms, {}) }),
      },
    }));
    expect(recording.opened).toEqual(['event-loop-lag cluster:0']);
  });
});

describe('rules of the config', () => {
  const rule = {
    name: 'queue',
    metric: 'bot_queue_length',
    where: {},
    window: MINUTE,
    above: 100,
    for: 20 * SECOND,
    clear: MINUTE,
    severity: 'critical' as const,
    strategy: 'memory-pressure' as const,
  };
  const play = (over: object, value: (ms: number) => number): Recording => {
    const recording = new Recording({}, [{ ...rule, ...over }]);
    return recording.play(8 * MINUTE, (ms) => {
      const gauge = { name: 'bot_queue_length', value: value(ms) };
      const readings = { counters: [], gauges: [gauge], sketches: [] };
      return { samples: { 3: aSample({ at: recording.now, readings }) } };
    });
  };

  it('a metric of the bot above a threshold, until it is well below', () => {
    const recording = play({ stat: 'latest' }, (ms) => (ms < 2 * MINUTE ? 50 : ms < 4 * MINUTE ? 150 : 50));
    expect(recording.opened).toEqual(['custom/queue bot']);
    expect(recording.events[0]!.incident).toMatchObject({ severity: 'critical', strategy: 'memory-pressure' });
    expect(recording.openedAfter).toBe(2 * MINUTE + 20 * SECOND);
    expect(recording.resolved).toEqual(['custom/queue bot']);
    expect(play({ stat: 'latest' }, (ms) => (ms < MINUTE ? 150 : 90)).resolved).toEqual([]);
  });

  it('for each cluster, below a threshold, with its own way back', () => {
    const below = { above: undefined, below: 10, clearAt: 30, per: 'cluster' as const, stat: 'latest' as const };
    expect(play(below, () => 5).opened).toEqual(['custom/queue cluster:3']);
    expect(play(below, (ms) => (ms < MINUTE ? 5 : 29)).resolved).toEqual([]);
    expect(play(below, (ms) => (ms < MINUTE ? 5 : 31)).resolved).toEqual(['custom/queue cluster:3']);
  });

  it('a metric that does not exist opens nothing', () => {
    expect(play({ metric: 'bot_nothing' }, () => 1_000).opened).toEqual([]);
  });
});

describe('signals', () => {
  it('are incidents until they are taken back; those of a rule that is off are none', () => {
    const signal = { type: 'backup-failed', scope: 'db:1', holds: true, text: 'no room' } as const;
    const recording = new Recording().play(MINUTE, () => ({ signals: [signal] }));
    expect(recording.opened).toEqual(['backup-failed db:1']);
    recording.play(MINUTE, () => ({}));
    expect(recording.resolved).toEqual(['backup-failed db:1']);
    const off = new Recording({ redisDown: { ...DEFAULTS.redisDown, enabled: false } });
    const redis = { type: 'redis-down', scope: 'redis', holds: true, text: 'gone' } as const;
    expect(off.play(MINUTE, () => ({ signals: [redis] })).opened).toEqual([]);
  });
});

it('thirty minutes of a busy bot without a fault: not one incident', () => {
  for (let seed = 1; seed <= 3; seed++) expect([seed, quiet(seed)]).toEqual([seed, []]);
});

/** With all that happens to a bot that is well: collections, slow answers, refused calls, reconnects, a resume. */
function quiet(seed: number): string[] {
  let state = seed;
  const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
  const recording = new Recording();
  const totals = [0, 1, 2, 3].map(() => ({ calls: 0, failures: 0, slow: 0, limited: 0, heap: 150 }));
  recording.play(30 * MINUTE, () => {
    const occurrences: Occurrence[] =
      random() < 0.004
        ? [{ kind: 'disconnect', at: recording.now, cluster: 0, shard: Math.floor(random() * 16), closeCode: 1006 }]
        : [];
    const samples = Object.fromEntries(
      totals.map((total, id) => {
        total.calls += Math.floor(random() * 60);
        total.failures += random() < 0.3 ? 1 : 0;
        total.slow += random() < 0.05 ? 1 : 0;
        total.limited += random() < 0.05 ? 1 : 0;
        total.heap = random() < 0.1 ? 150 : Math.min(240, total.heap + random() * 12);
        const shards: ShardReport[] = [0, 1, 2, 3].map((shard) =>
          aShard(id * 4 + shard, { guilds: 1_000 - Math.floor(random() * 4) }),
        );
        const fast = sketch([0.2]).buckets[0]!;
        const slow = sketch([9]).buckets[0]!;
        const readings: Readings = {
          counters: [
            { name: 'interactions_total', labels: { kind: 'command' }, value: total.calls },
            { name: 'interaction_failures_total', labels: { reason: 'unanswered' }, value: total.failures },
            { name: 'rest_requests_total', labels: { route: 'a', status: '200' }, value: total.calls },
            { name: 'rest_requests_total', labels: { route: 'a', status: '500' }, value: total.slow },
            { name: 'rest_rate_limited_total', labels: { scope: 'shared' }, value: total.limited },
          ],
          gauges: [],
          sketches: [
            {
              name: 'interaction_response_seconds',
              sum: total.calls * 0.2 + total.slow * 9,
              buckets: [fast, total.calls, slow, total.slow],
            },
          ],
        };
        const rssBytes = (total.heap + 150) * 1e6;
        return [
          id,
          aSample({ at: recording.now, rssBytes, loopDelayP99Ms: random() < 0.02 ? 1_500 : 20, shards, readings }),
        ];
      }),
    );
    const clusters = totals.map((total, id) =>
      aCluster(id, {
        sample: { rssBytes: (total.heap + 150) * 1e6, heapUsedBytes: total.heap * 1e6, heapLimitBytes: 2e9 },
      }),
    );
    const facts = aBot().shards.map(({ id, cluster }) => ({
      name: 'shard_guilds' as const,
      labels: { cluster: String(cluster), shard: String(id) },
      value: 1_000 - Math.floor(random() * 5),
    }));
    return { samples, occurrences, facts, bot: aBot({ clusters }) };
  });
  return recording.events.map(({ type, incident: { rule, scope, text } }) => `${type} ${rule} ${scope} ${text}`);
}
