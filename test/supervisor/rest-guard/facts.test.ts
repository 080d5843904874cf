import type { RestGuardStatus } from '../../../src/control/contract';
import type { Fact } from '../../../src/metrics';
import { Metrics } from '../../../src/metrics';
import { guardCounters, guardGauges } from '../../../src/supervisor/rest-guard/facts';
import { SourceTotals } from '../../../src/supervisor/metrics/source-totals';

const HISTOGRAM = { bounds: [], cumulative: [], count: 0, sumMs: 0 };

function status(sent: number, change: Partial<RestGuardStatus> = {}): RestGuardStatus {
  return {
    ...{ state: 'up', pid: 7, restarts: 0, message: null },
    figures: {
      ...{ startedAt: 1_000, pid: 7, rssBytes: 5e7 },
      counters: {
        ...{ sent, cancelled: 1, failed: 2 },
        rateLimited: { user: 3, global: 0, shared: 1 },
        own: { waited: 4 },
      },
      gauges: {
        ...{ queued: 12, inFlight: 3, buckets: 5, clusters: 2, globalPerSecond: 50, globalRemaining: 20 },
        ...{ invalid: 40, invalidLimit: 10_000, bannedForMs: 0, unauthorized: false },
        braked: [
          { route: 'POST /a', level: 'slow' },
          { route: 'POST /b', level: 'stop' },
        ],
      },
      classes: [
        {
          class: 'messages',
          answers: { '2': 30, '4': 2 },
          latencyMs: { ...HISTOGRAM, p50: 20, p99: 150 },
          queueMs: { ...HISTOGRAM, p50: null, p99: null },
        },
      ],
    },
    ...change,
  };
}

const value = (facts: readonly Fact[], name: string, labels: object = {}): number | undefined =>
  facts.find((fact) => fact.name === name && JSON.stringify(fact.labels) === JSON.stringify(labels))?.value;

test('what the guard counts and how it is', () => {
  const counters = guardCounters(status(100));
  expect(value(counters, 'rest_guard_requests_total')).toBe(100);
  expect(value(counters, 'rest_guard_answers_total', { route: 'messages', status: '2xx' })).toBe(30);
  expect(value(counters, 'rest_guard_rate_limited_total', { scope: 'user' })).toBe(3);
  expect(value(counters, 'rest_guard_own_answers_total', { reason: 'waited' })).toBe(4);
  expect(value(counters, 'rest_guard_own_answers_total', { reason: 'banned' })).toBe(0);
  const gauges = guardGauges(status(100));
  expect(value(gauges, 'rest_guard_up')).toBe(1);
  expect(value(gauges, 'rest_guard_queue_length')).toBe(12);
  expect(value(gauges, 'rest_guard_routes_braked', { level: 'stop' })).toBe(1);
  expect(value(gauges, 'rest_guard_latency_p99_seconds', { route: 'messages' })).toBe(0.15);
  expect(value(gauges, 'rest_guard_wait_p99_seconds', { route: 'messages' })).toBeNaN();
});

test('of a guard that is down nothing is told but that', () => {
  const gauges = guardGauges(status(100, { state: 'down' }));
  expect(value(gauges, 'rest_guard_up')).toBe(0);
  expect(gauges.filter(({ value }) => !Number.isNaN(value))).toHaveLength(1);
  expect(guardCounters(status(1, { figures: null }))).toEqual([]);
});

test('totals go on through guards that follow each other, and leave out what an older supervisor was told', () => {
  const metrics = new Metrics({ version: '1.0.0', maxBytes: 1e6, now: () => 10_000 });
  const totals = new SourceTotals(metrics, 5_000);
  const sent = (value: number): Fact[] => [{ name: 'rest_guard_requests_total', labels: {}, value }];
  const total = (): number | undefined => metrics.queries.latest('rest_guard_requests_total')[0]?.value;
  totals.take({ pid: 1, startedAt: 1_000 }, sent(900)); // taken over
  expect(total()).toBe(0);
  totals.take({ pid: 1, startedAt: 1_000 }, sent(910));
  totals.take({ pid: 1, startedAt: 1_000 }, sent(910));
  expect(total()).toBe(10);
  totals.take({ pid: 2, startedAt: 6_000 }, sent(5));
  totals.take({ pid: 2, startedAt: 6_000 }, sent(8));
  expect(total()).toBe(18);
});
