import { Metrics, QueryError } from '../../src/metrics';
import { dataGauges } from '../../src/metrics/data-facts';
import { aSample, aShard, HOUR, MINUTE, random, readings, sketch, START } from './fleet';

describe('Metrics', () => {
  let now: number;
  let metrics: Metrics;
  let seq: number;

  beforeEach(() => {
    now = START;
    seq = 0;
    metrics = new Metrics({ version: '1.2.3', maxBytes: 64e6, now: () => now });
  });

  const source = (incarnation = 'a', more: { cluster?: number; adopted?: boolean } = {}) => {
    return { cluster: 0, incarnation, adopted: false, ...more };
  };
  const messages = (value: number) => readings({ counters: [{ name: 'messages_total', value }] });
  const take = (value: number, incarnation = 'a', more = {}) => {
    metrics.take(source(incarnation, more), aSample({ seq: ++seq, at: now, readings: messages(value) }));
  };
  const total = () => metrics.queries.latest('messages_total').reduce((sum, { value }) => sum + value, 0);

  describe('counters', () => {
    it('go on through restarts of the process, whatever it counts from', () => {
      take(10);
      take(25);
      take(7, 'b');
      take(9, 'b');
      take(0, 'c');
      take(1, 'c');
      expect(total()).toBe(25 + 9 + 1);
    });

    it('take nothing twice: repeated, late and former samples are dropped and counted', () => {
      const first = aSample({ seq: 1, at: now, readings: messages(10) });
      const second = aSample({ seq: 2, at: now, readings: messages(20) });
      for (const sample of [first, second, second, first]) metrics.take(source('a'), sample);
      metrics.take(source('b'), aSample({ seq: 1, at: now, readings: messages(5) }));
      metrics.take(source('a'), aSample({ seq: 3, at: now, readings: messages(30) }));
      expect(total()).toBe(25);
      metrics.tick();
      expect(metrics.queries.latest('metrics_samples_dropped_total')[0]?.value).toBe(3);
    });

    it('of a process that was adopted count from its first sample on: the rest was told to another supervisor', () => {
      take(1_000, 'a', { adopted: true });
      expect(total()).toBe(0);
      take(1_010, 'a', { adopted: true });
      expect(total()).toBe(10);
      take(3, 'b');
      expect(total()).toBe(13);
    });

    it('do not go back nor break on nonsense', () => {
      take(10);
      for (const value of [NaN, -5, Infinity]) take(value);
      take(12);
      expect(total()).toBe(12);
    });

    it('a counter that appears late starts from its process, not from nowhere', () => {
      metrics.take(source(), aSample({ seq: 1, at: now }));
      metrics.take(source(), aSample({ seq: 2, at: now, readings: messages(4) }));
      expect(total()).toBe(4);
    });

    it('what comes late is counted in its own minute', () => {
      now += 10 * MINUTE;
      metrics.take(source(), aSample({ seq: 1, at: now - 5 * MINUTE, readings: messages(60) }));
      metrics.take(source(), aSample({ seq: 2, at: now, readings: messages(90) }));
      const { series } = metrics.queries.range({
        name: 'messages_total',
        stat: 'increase',
        from: now - 6 * MINUTE,
        to: now,
        stepMs: MINUTE,
      });
      expect(series[0]?.points).toEqual([null, 60, 0, 0, 0, 0, 30]);
    });

    it('a sample from the future or from long ago does not stand outside of the 24 hours', () => {
      metrics.take(source(), aSample({ seq: 1, at: now + HOUR, readings: messages(1) }));
      metrics.take(source(), aSample({ seq: 2, at: now - 48 * HOUR, readings: messages(3) }));
      expect(total()).toBe(3);
      expect(metrics.queries.figure('messages_total', 'increase', MINUTE)).toBe(3);
    });
  });

  describe('databases and cache', () => {
    const pool = (shard: number, acquired: number) => ({
      shard,
      max: 10,
      total: 3,
      idle: 2,
      inUse: 1,
      waiting: 4,
      statements: acquired * 2,
      acquired,
      released: acquired,
      created: 3,
      destroyed: 0,
      acquireTimeouts: 1,
      errors: 0,
      acquireMs: { p50: 1, p99: 5 * (shard + 1), max: 20 },
    });
    const data = (acquired: number) => ({
      pools: [pool(0, acquired), pool(1, 1)],
      cache: {
        l1: { hits: 10, misses: 2, entries: 5, bytes: 100, evictions: 1 },
        l2: { hits: 1, misses: 1, errors: 0, state: 'open' as const },
        l3: { hits: 0, misses: 0, errors: 0 },
        loads: 1,
        loadErrors: 0,
        bus: true,
      },
      deferred: { pending: 2, bytes: 50, oldestAgeMs: 3_000, deadLetters: 0 },
    });

    it('are added up over processes: counters with their history, gauges as they are', () => {
      metrics.take(source('a'), aSample({ seq: 1, at: now, data: data(100) }));
      metrics.take(source('b'), aSample({ seq: 1, at: now, data: data(5) }));
      metrics.take(source('c', { cluster: 1 }), aSample({ seq: 1, at: now, data: data(7) }));
      metrics.set(dataGauges([data(5), data(7)]));
      const latest = (name: string) => metrics.queries.latest(name).map(({ labels, value }) => [labels, value]);
      expect(latest('pool_acquires_total')).toEqual([
        [{ database: '0' }, 112],
        [{ database: '1' }, 3],
      ]);
      expect(latest('pool_connections')).toContainEqual([{ database: '1', state: 'idle' }, 4]);
      expect(latest('pool_acquire_p99_seconds')).toEqual([
        [{ database: '0' }, 0.005],
        [{ database: '1' }, 0.01],
      ]);
      expect(latest('cache_hits_total')).toContainEqual([{ level: 'memory' }, 30]);
      expect(latest('cache_redis_bypassed')).toEqual([[{}, 2]]);
      expect(latest('deferred_writes')).toEqual([[{}, 4]]);
      expect(latest('deferred_oldest_age_seconds')).toEqual([[{}, 3]]);
    });
  });

  describe('rates', () => {
    it('are per second, and the minute that runs counts as far as it has run', () => {
      take(0);
      now += MINUTE + 30_000;
      take(900);
      const { series } = metrics.queries.range({ name: 'messages_total', from: START, to: now, stepMs: MINUTE });
      expect(series[0]?.points).toEqual([0, 30]);
      expect(series[0]?.value).toBe(10);
    });
  });

  describe('gauges', () => {
    const rss = (bytes: number, cluster = 0) => {
      metrics.take(source(`c${cluster}`, { cluster }), aSample({ seq: ++seq, at: now, rssBytes: bytes }));
    };

    it('keep mean and extremes of each minute; clusters add up or are averaged as their kind asks for', () => {
      rss(100);
      rss(300);
      rss(50, 1);
      const ask = (stat: 'mean' | 'min' | 'max', by: string[]) =>
        metrics.queries
          .range({ name: 'cluster_resident_memory_bytes', stat, by, from: now, to: now })
          .series.map(({ value }) => value);
      expect(ask('mean', ['cluster'])).toEqual([200, 50]);
      expect(ask('min', ['cluster'])).toEqual([100, 50]);
      expect(ask('max', ['cluster'])).toEqual([300, 50]);
      expect(ask('mean', [])).toEqual([250]);
    });

    it('that nobody reports any more are not told with their last good value', async () => {
      rss(100);
      expect(metrics.queries.latest('cluster_resident_memory_bytes')).toHaveLength(1);
      metrics.processEnded(0);
      expect(metrics.queries.latest('cluster_resident_memory_bytes')).toEqual([]);
      rss(100);
      now += 30_000;
      expect(metrics.queries.latest('cluster_resident_memory_bytes')).toEqual([]);
      expect(await metrics.exposition.text()).not.toContain('resident');
    });
  });

  describe('histograms', () => {
    const name = 'interaction_response_seconds';
    const record = (values: number[], before: number[] = []) => {
      const all = [...before, ...values];
      metrics.take(
        source(),
        aSample({ seq: ++seq, at: now, readings: readings({ sketches: [{ name, ...sketch(all) }] }) }),
      );
    };

    it('know their quantiles within 6 %, over minutes and hours that are past', () => {
      const rng = random(7);
      const values = Array.from({ length: 5_000 }, () => 0.01 * Math.exp(rng() * 5));
      for (let minute = 0; minute < 100; minute++) {
        record(values.slice(minute * 50, minute * 50 + 50), values.slice(0, minute * 50));
        now += MINUTE;
      }
      const sorted = [...values].sort((a, b) => a - b);
      for (const [stat, q] of [
        ['p50', 0.5],
        ['p90', 0.9],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        const exact = sorted[Math.ceil(q * sorted.length) - 1] ?? NaN;
        const found = metrics.queries.figure(name, stat, 3 * HOUR) ?? NaN;
        expect(Math.abs(found / exact - 1)).toBeLessThan(0.06);
      }
      expect(metrics.queries.figure(name, 'count', 3 * HOUR)).toBe(5_000);
      const mean = values.reduce((a, b) => a + b) / values.length;
      expect(metrics.queries.figure(name, 'mean', 3 * HOUR)).toBeCloseTo(mean, 3);
    });

    it('are told to Prometheus with exact buckets', async () => {
      record([0.005, 0.0051, 0.1, 0.25, 0.26, 70]);
      const text = await metrics.exposition.text();
      const bucket = (le: string) => new RegExp(`^botctl_${name}_bucket\\{le="${le}"\\} (\\d+)$`, 'm').exec(text)?.[1];
      expect(['0.0025', '0.005', '0.01', '0.1', '0.25', '0.5', '60', '\\+Inf'].map(bucket)).toEqual([
        '0',
        '1',
        '2',
        '3',
        '4',
        '5',
        '5',
        '6',
      ]);
    });

    it('take a late minute into the hour to which it belongs', () => {
      const at = now;
      now += 2 * HOUR;
      record([1]);
      metrics.take(
        source(),
        aSample({ seq: ++seq, at, readings: readings({ sketches: [{ name, ...sketch([1, 1, 1]) }] }) }),
      );
      const count = (from: number, to: number) =>
        metrics.queries.range({ name, stat: 'count', from, to }).series[0]?.value;
      expect([count(at, at), count(now, now)]).toEqual([2, 1]);
    });
  });

  describe('24 hours', () => {
    it('are kept, and no more: neither an hour comes back after a day nor is one missing', () => {
      for (let hour = 0; hour < 60; hour++) {
        take((hour + 1) * 100);
        metrics.tick();
        now += HOUR;
      }
      now -= HOUR;
      const { series } = metrics.queries.range({
        name: 'messages_total',
        stat: 'increase',
        from: now - 40 * HOUR,
        to: now,
        stepMs: HOUR,
      });
      expect(series[0]?.points).toHaveLength(25);
      expect(series[0]?.points.every((point) => point === 100)).toBe(true);
    });

    it('a clock that is put back by years, or forth, does not stop the metrics', () => {
      take(10);
      for (const jump of [9_000 * HOUR, -9_000 * HOUR, -2 * HOUR, 30 * HOUR]) {
        now += jump;
        metrics.tick();
        take(10 * (seq + 1));
        expect(metrics.queries.figure('messages_total', 'increase', MINUTE)).toBe(10);
      }
      expect(total()).toBe(50);
    });

    it('shrink when the memory does not suffice, the oldest hours first', () => {
      const small = new Metrics({ version: '1', maxBytes: 100_000, now: () => now });
      const shards = Array.from({ length: 40 }, (_, id) => aShard(id));
      const rng = random(3);
      const first = now;
      for (; now < first + 12 * HOUR; now += MINUTE) {
        for (const shard of shards) shard.events += 1 + Math.floor(rng() * 100);
        small.take(source(), aSample({ seq: ++seq, at: now, shards }));
        small.tick();
      }
      expect(small.bytes).toBeLessThan(300_000);
      expect(() => small.queries.range({ name: 'shard_events_total', from: first, to: first + HOUR })).toThrow(
        QueryError,
      );
      expect(small.queries.figure('shard_events_total', 'increase', 5 * MINUTE)).toBeGreaterThan(0);
    });
  });

  describe('labels', () => {
    it('of the bot are bounded: the rest goes to other, is counted, and makes room a day after its last use', () => {
      const counters = (from: number) =>
        Array.from({ length: 100 }, (_, index) => ({
          name: 'bot_clicks_total',
          labels: { button: `b${from + index}` },
          value: 1,
        }));
      for (let cluster = 0; cluster < 10; cluster++) {
        metrics.take(
          source(`c${cluster}`, { cluster }),
          aSample({ seq: 1, at: now, readings: readings({ counters: counters(cluster * 100) }) }),
        );
      }
      const clicks = metrics.queries.latest('bot_clicks_total');
      expect(clicks).toHaveLength(501);
      expect(clicks.find(({ labels }) => labels['button'] === 'other')?.value).toBe(500);
      metrics.tick();
      expect(metrics.queries.latest('metrics_series_folded_total')[0]?.value).toBe(500);
      for (let hour = 0; hour < 27; hour++) {
        now += HOUR;
        metrics.tick();
      }
      expect(metrics.queries.latest('bot_clicks_total')).toEqual([]);
    });

    it('of an unknown metric, or of another kind, are not taken', () => {
      const facts = readings({
        counters: [
          { name: 'made_up_total', value: 1 },
          { name: 'members', value: 1 },
        ],
        gauges: [{ name: 'messages_total', value: 1 }],
      });
      metrics.take(source(), aSample({ seq: 1, at: now, readings: facts }));
      expect(metrics.queries.families().map(({ family }) => family.name)).not.toContain('made_up_total');
      expect(metrics.queries.latest('members')).toEqual([]);
    });
  });

  describe('questions', () => {
    beforeEach(() => {
      for (const [id, pingMs] of [
        [0, 10],
        [1, 50],
        [2, 30],
        [10, 40],
      ] as const) {
        metrics.set([
          {
            name: 'shard_ping_seconds',
            labels: { cluster: String(Math.floor(id / 2)), shard: String(id) },
            value: pingMs / 1_000,
          },
        ]);
      }
    });
    const ping = { name: 'shard_ping_seconds', from: START, to: START };

    it('each series by itself, in the order of its numbers', () => {
      const { series } = metrics.queries.range(ping);
      expect(series.map(({ labels }) => labels['shard'])).toEqual(['0', '1', '2', '10']);
    });

    it('by a label, with a condition, the greatest first', () => {
      const { series, total: all } = metrics.queries.range({ ...ping, by: ['cluster'], top: 2 });
      expect(all).toBe(3);
      expect(series.map(({ labels, value }) => [labels['cluster'], Math.round((value ?? 0) * 1e3)])).toEqual([
        ['5', 40],
        ['0', 30],
      ]);
      expect(metrics.queries.range({ ...ping, where: { cluster: ['1', '5'] } }).series).toHaveLength(2);
    });

    it('quantiles over shards', () => {
      expect(metrics.queries.range({ ...ping, by: [], stat: 'p99' }).series[0]?.value).toBeCloseTo(0.05);
    });

    it.each([
      [{ name: 'shard_pin_seconds' }, /no metric shard_pin_seconds/],
      [{ by: ['guild'] }, /shard_ping_seconds has no label guild: it has cluster, shard/],
      [{ where: { guild: '1' } }, /has no label guild/],
      [{ name: 'shard_ping_seconds', stat: 'rate' as const }, /is a gauge: it has mean, min/],
      [{ name: 'shard_ping_seconds', from: START - 80 * HOUR, to: START - 70 * HOUR }, /outside of the last 24 hours/],
    ])('that cannot be answered say why: %j', (query, message) => {
      expect(() => metrics.queries.range({ ...ping, ...query })).toThrow(message);
    });

    it('a wrong name is answered with the nearest one', () => {
      expect(() => metrics.queries.range({ ...ping, name: 'shard_pings_second' })).toThrow(
        expect.objectContaining({ hint: 'did you mean shard_ping_seconds?' }) as Error,
      );
    });

    it('the name that Prometheus knows is taken, too', () => {
      expect(metrics.queries.range({ ...ping, name: 'botctl_shard_ping_seconds' }).series).toHaveLength(4);
    });
  });
});
