import { compareReleases, type WindowFacts } from '../../src/deploy/rollout/compare';
import { Window, type ClusterTotals } from '../../src/deploy/rollout/window';
import { bucketOf } from '../../src/ipc/bucket-scale';

const MB = 1024 * 1024;
const LIMITS = { errorRate: 0.05, latencyMs: 500, memoryBytes: 100 * MB };
const GOOD: WindowFacts = {
  clusters: 1,
  requests: 1_000,
  failures: 10,
  unhandledRejections: 0,
  restCalls: 1_000,
  restFailures: 10,
  latencyP95: 0.1,
  latencyCount: 900,
  memoryGrowth: 10 * MB,
  memory: 200 * MB,
  loopDelayP99Ms: 20,
};

describe('a new release beside the old one', () => {
  it.each<[string, Partial<WindowFacts>, Partial<WindowFacts> | null, RegExp | null]>([
    ['is as good', {}, {}, null],
    [
      'fails more',
      { failures: 100 },
      {},
      /^answers fail: 10\.0 % of 1000 with the new release, 1\.0 % with the old one$/,
    ],
    ['fails as much as the old one', { failures: 300 }, { failures: 300 }, null],
    ['fails a little more, within the limit', { failures: 55 }, {}, null],
    ['fails above the limit, but of too few', { requests: 10, failures: 9 }, {}, null],
    ['fails above the limit, as chance does', { requests: 20, failures: 3 }, { requests: 25, failures: 1 }, null],
    ['fails where nothing is known of the old one', { failures: 100 }, null, /answers fail: 10\.0 %/],
    ['is refused by REST', { restFailures: 200 }, {}, /^REST calls fail: 20\.0 %/],
    ['rejects unhandled', { unhandledRejections: 30 }, {}, /^30 unhandled rejections/],
    ['rejects as the old one does', { unhandledRejections: 30 }, { unhandledRejections: 90, clusters: 3 }, null],
    ['is slower', { latencyP95: 0.9 }, {}, /^responses take 900 ms \(p95\) with the new release, 100 ms/],
    ['is slower within the limit', { latencyP95: 0.55 }, {}, null],
    ['is slow as the old one is', { latencyP95: 2.6 }, { latencyP95: 2 }, null],
    ['is slow, but nothing is known of the old one', { latencyP95: 5 }, null, null],
    ['grows', { memoryGrowth: 150 * MB }, {}, /^memory grows: 150 MB .*, 10 MB with the old one/],
    ['grows as the old one does', { memoryGrowth: 150 * MB }, { memoryGrowth: 90 * MB }, null],
    ['grows while the old one shrinks', { memoryGrowth: 90 * MB }, { memoryGrowth: -50 * MB }, null],
    ['is far larger', { memory: 500 * MB }, {}, /^memory: 500 MB with the new release, 200 MB/],
    ['has a late event loop', { loopDelayP99Ms: 400 }, {}, /^the event loop is late by 400 ms/],
    ['is late as the old one is', { loopDelayP99Ms: 400 }, { loopDelayP99Ms: 300 }, null],
    ['is late, but nothing is known of the old one', { loopDelayP99Ms: 900 }, null, null],
    ['has nothing to do', { requests: 0, failures: 0, latencyP95: null, latencyCount: 0 }, {}, null],
  ])('%s', (_, fresh, old, expected) => {
    const reason = compareReleases({ ...GOOD, ...fresh }, old === null ? null : { ...GOOD, ...old }, LIMITS);
    if (expected === null) expect(reason).toBeNull();
    else expect(reason).toMatch(expected);
  });
});

describe('the window', () => {
  const totals = (change: Partial<ClusterTotals> = {}): ClusterTotals => ({
    requests: 100,
    failures: 5,
    unhandledRejections: 1,
    restCalls: 50,
    restFailures: 2,
    latency: new Map([[bucketOf(0.1), 40]]),
    memoryBytes: 100 * MB,
    loopDelayP99Ms: 10,
    ...change,
  });

  it('counts only what came in it, over its clusters', () => {
    const now = new Map([
      [0, totals()],
      [1, totals()],
    ]);
    const window = new Window((id) => now.get(id) ?? totals(), [0, 1]);
    const slow = bucketOf(2);
    now.set(
      0,
      totals({
        requests: 130,
        failures: 6,
        latency: new Map([
          [bucketOf(0.1), 42],
          [slow, 38],
        ]),
      }),
    );
    now.set(1, totals({ memoryBytes: 160 * MB }));
    window.observe();
    expect(window.facts([0])).toMatchObject({ clusters: 1, requests: 30, failures: 1, latencyCount: 40 });
    expect(window.facts([0]).latencyP95).toBeCloseTo(2, 0);
    expect(window.facts([0, 1])).toMatchObject({ clusters: 2, requests: 30, memoryGrowth: 60 * MB });
    expect(window.facts([1]).latencyP95).toBeNull();
  });

  it('takes the first report of a new process as the begin of its growth', () => {
    let now = totals({ memoryBytes: null, loopDelayP99Ms: null });
    const window = new Window(() => now, [0]);
    expect(window.facts([0])).toMatchObject({ memoryGrowth: 0, loopDelayP99Ms: null });
    now = totals({ memoryBytes: 200 * MB });
    window.observe();
    now = totals({ memoryBytes: 230 * MB });
    expect(window.facts([0]).memoryGrowth).toBe(30 * MB);
  });

  it('does not take one late turn of the event loop for a late event loop', () => {
    let now = totals();
    const window = new Window(() => now, [0]);
    for (const delay of [10, 12, 900, 11, 9]) {
      now = totals({ loopDelayP99Ms: delay });
      window.observe();
    }
    expect(window.facts([0]).loopDelayP99Ms).toBe(11);
  });
});
