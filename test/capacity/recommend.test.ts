import { forecast, type Point } from '../../src/capacity/forecast';
import type { Deployment } from '../../src/capacity/deployment';
import { recommend } from '../../src/capacity/recommend';
import type { Recommendation, ResourceReport } from '../../src/capacity/report';
import { resourceOf, type ResourceName } from '../../src/capacity/resource';
import { limitsNear } from '../../src/capacity/signals';
import { history, normal, noisy, NOW, randomOf, straight } from './support/curves';

const DAY_MS = 86_400_000;
const MB = 1024 ** 2;
const GB = 1024 ** 3;
const OPTIONS = { threshold: 0.8, horizonMs: 30 * DAY_MS, now: NOW };

const DEPLOYMENT: Deployment = {
  totalShards: 32,
  autoShards: false,
  localShards: 32,
  shardsPerCluster: 8,
  clusters: 4,
  maxConcurrency: 16,
  identifiesLeft: 900,
  clusterBytes: 800 * MB,
  heapLimitBytes: 4 * GB,
  freeMemoryBytes: 64 * GB,
  memoryLimitedBy: 'cgroup',
  poolMax: 100,
  databaseShards: 4,
  embeddedPostgres: false,
};

function reportOf(
  resource: ResourceName,
  points: readonly Point[],
  limit: number | null,
  scope = 'bot',
): ResourceReport {
  const { title, unit } = resourceOf(resource);
  const value = points.at(-1)?.value ?? 0;
  return {
    ...{ resource, scope, title, unit, value, usual: value, limit, detail: null, seenAt: NOW, outlook: [] },
    forecast: limit === null ? null : forecast(points, NOW, [0.8 * limit, limit]),
    history: { from: NOW, stepMs: DAY_MS, points: [] },
  };
}

function advise(
  resource: ResourceName,
  points: readonly Point[],
  limit: number | null,
  change: Partial<Deployment> = {},
): Recommendation[] {
  return recommend([reportOf(resource, points, limit)], { ...DEPLOYMENT, ...change }, OPTIONS);
}

describe('when something is recommended', () => {
  test('flat noise: in no more than 1 % of 1,000 seeds, at any level and any noise', () => {
    const found = Array.from({ length: 1_000 }, (_, seed) => {
      const random = randomOf(seed * 104_729 + 7);
      const curve = noisy(() => 20 + (seed % 51), [0.02, 0.05, 0.1, 0.2][seed % 4] ?? 0, random);
      return advise('disk', history(curve), 100).length;
    });
    expect(found.filter((count) => count > 0).length).toBeLessThanOrEqual(10);
  });

  test('noise whose hours hang together (a wave of days): in no more than 1 % of 100 seeds', () => {
    const found = Array.from({ length: 100 }, (_, seed) => {
      const random = randomOf(seed * 15_485_863 + 11);
      let drift = 0;
      const curve = (): number => {
        drift = 0.95 * drift + Math.sqrt(1 - 0.95 ** 2) * normal(random);
        return 50 + 5 * drift;
      };
      return advise('memory', history(curve), 100).length;
    });
    expect(found.filter((count) => count > 0).length).toBeLessThanOrEqual(1);
  });

  test('growth that is near its limit in three weeks: soon; that is past it: now', () => {
    expect(advise('guilds-per-shard', history(straight(1_000, 1_600)), 2_500)[0]?.urgency).toBe('soon');
    expect(advise('guilds-per-shard', history(straight(1_500, 2_050)), 2_500)[0]?.urgency).toBe('now');
    expect(advise('guilds-per-shard', history(straight(1_000, 1_100)), 2_500)).toEqual([]); // in months
  });

  test('without a limit nothing is said, and without history no date', () => {
    expect(advise('database-size', history(straight(1, 1_000)), null)).toEqual([]);
    expect(advise('disk', history(straight(50, 70), 100), 100)).toEqual([]);
    const full = advise(
      'disk',
      history(() => 90, 48),
      100,
    );
    expect(full[0]).toMatchObject({ urgency: 'now', why: expect.stringContaining('too little history') as string });
  });

  test('the most urgent first', () => {
    const reports = [
      reportOf('guilds-per-shard', history(straight(1_000, 1_600)), 2_500),
      reportOf(
        'disk',
        history(() => 90),
        100,
      ),
    ];
    expect(recommend(reports, DEPLOYMENT, OPTIONS).map(({ resource }) => resource)).toEqual([
      'disk',
      'guilds-per-shard',
    ]);
  });
});

describe('what is recommended', () => {
  test('guilds: more shards, a multiple of max_concurrency, with processes, memory and identifies', () => {
    const [found] = advise('guilds-per-shard', history(straight(1_500, 1_900)), 2_500);
    // 1,900 + 60 days x 13.3 = 2,700 of 2,000 (80 %): 43.2 shards, the next multiple of 16.
    expect(found?.change).toEqual({ where: 'config', key: 'sharding.totalShards', from: '32', to: '48' });
    expect(found?.cost).toEqual({ processes: 2, memoryBytes: 1_600 * MB, identifies: 48 });
    expect(found?.why).toMatch(/1,900 of 2,500 \(76 %\), grows by 13 a day, at 80 % in \d days \(20\d\d-\d\d-\d\d/);
  });

  test('guilds with totalShards: auto, and too few identifies left for it', () => {
    const [found] = advise('guilds-per-shard', history(straight(1_500, 1_900)), 2_500, {
      autoShards: true,
      maxConcurrency: 1,
      identifiesLeft: 20,
    });
    expect(found?.change).toMatchObject({ from: 'auto (32)', to: '48' }); // full clusters of 8
    expect(found?.how).toContain('Only 20 identifies are left today');
  });

  test('a busy cluster: fewer shards in a process; with one shard in it, more shards', () => {
    const busy = history(() => 0.9);
    expect(advise('cluster-cpu', busy, 1)[0]?.change).toMatchObject({
      key: 'sharding.shardsPerCluster',
      from: '8',
      to: '5',
    });
    expect(advise('cluster-cpu', busy, 1)[0]?.cost).toEqual({ processes: 3, memoryBytes: 2_400 * MB });
    expect(advise('cluster-cpu', busy, 1, { shardsPerCluster: 1 })[0]).toMatchObject({
      change: null,
      how: expect.stringContaining('sharding.totalShards') as string,
    });
  });

  test('heap: a larger one if the memory is there, else smaller clusters', () => {
    const full = history(() => 3.6 * GB);
    const [larger] = advise('heap', full, 4 * GB);
    expect(larger?.change).toMatchObject({ key: 'bot.nodeArgs', to: "['--max-old-space-size=6144']" });
    expect(larger?.cost).toEqual({ memoryBytes: 8 * GB });
    const [smaller] = advise('heap', full, 4 * GB, { freeMemoryBytes: 1 * GB });
    expect(smaller?.change?.key).toBe('sharding.shardsPerCluster');
  });

  test('connections: of the server, and of the pools', () => {
    const [server] = advise(
      'connections',
      history(() => 90),
      97,
    );
    expect(server?.change).toEqual({ where: 'server', key: 'max_connections of bot', from: '97', to: '150' });
    expect(server?.cost).toEqual({ connections: 53, memoryBytes: 530 * MB });
    const [pool] = advise(
      'pool-connections',
      history(() => 80),
      96,
    );
    expect(pool?.change).toEqual({ where: 'config', key: 'postgres.pool.max', from: '100', to: '140' });
  });

  test('database size: one more database, never on the same disk', () => {
    const [found] = advise('database-size', history(straight(70 * GB, 85 * GB)), 100 * GB);
    expect(found?.change).toMatchObject({ key: 'postgres.shards', from: '4 databases', to: '6 databases' });
    expect(
      advise(
        'database-size',
        history(() => 90 * GB),
        100 * GB,
        { embeddedPostgres: true },
      )[0]?.change,
    ).toBeNull();
  });

  test.each<[ResourceName, number, number]>([
    ['memory', 7.5 * GB, 8 * GB],
    ['cpu', 3.6, 4],
    ['disk', 95 * GB, 100 * GB],
    ['identifies', 950, 1_000],
  ])('%s: there is always a next step', (resource, value, limit) => {
    const [found] = advise(
      resource,
      history(() => value),
      limit,
    );
    expect(found?.how).not.toBe('');
    if (resource !== 'identifies') expect(found?.change?.where).toBe('machine');
  });

  test('a change always makes room for what is expected', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = randomOf(seed + 1);
      const [from, rise] = [1_000 + 1_000 * random(), 900 * random()];
      const [found] = advise('guilds-per-shard', history(straight(from, from + rise)), 2_500);
      if (found === undefined) continue;
      const to = Number(found.change?.to);
      expect(to).toBeGreaterThan(32);
      expect(to % 16).toBe(0);
      expect(((from + rise) * 32) / to).toBeLessThan(2_000);
    }
  });
});

describe('signals', () => {
  const report = (resources: ResourceReport[]) => ({
    ...{
      at: NOW,
      since: null,
      keptIn: 'postgres' as const,
      unwrittenHours: 0,
      problem: null,
      threshold: 0.8,
      resources,
    },
    recommendations: recommend(resources, DEPLOYMENT, OPTIONS),
  });

  test('only what is near now, critical where things break any moment', () => {
    const near = limitsNear(
      report([
        reportOf('guilds-per-shard', history(straight(1_000, 1_600)), 2_500), // soon
        reportOf(
          'database-size',
          history(() => 85),
          100,
          'db:2',
        ),
        reportOf(
          'disk',
          history(() => 97),
          100,
          'host',
        ),
      ]),
    );
    expect(near.map(({ name, database, severity }) => ({ name, database, severity }))).toEqual([
      { name: 'database-size/db:2', database: 2, severity: 'warning' },
      { name: 'disk', database: null, severity: 'critical' },
    ]);
    expect(near[0]?.text).toContain('postgres.shards: 4 databases -> ');
  });
});
