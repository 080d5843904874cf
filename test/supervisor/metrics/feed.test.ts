import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metrics } from '../../../src/metrics';
import type { MasterView } from '../../../src/sharding/master';
import { MetricsFeed } from '../../../src/supervisor/metrics/feed';
import { until } from '../../support/until';

type Shard = MasterView['shards'][number];

/** Two shards, each in a cluster of its own or both in one. */
function view(clusterOf: (shard: number) => number): MasterView {
  const shards = [0, 1].map((id) => {
    return { id, cluster: clusterOf(id), state: 'ready', pingMs: 5, guilds: 3, unavailableGuilds: 0 } as Shard;
  });
  const ids = [...new Set(shards.map(({ cluster }) => cluster))];
  const clusters = ids.map((id) => ({ id, state: 'ready', pid: null, sample: null }));
  const identify = { budget: null, maxConcurrency: 1, queued: 0, blocked: null };
  return {
    totalShards: 2,
    clusters,
    shards,
    identify,
    gate: { gate: 'passing' },
    fatal: null,
  } as unknown as MasterView;
}

describe('what the master shows, in the metrics', () => {
  let dir: string;
  let feed: MetricsFeed;
  let master: MasterView | null = null;
  const metrics = new Metrics({ version: 'test', maxBytes: 50e6, now: Date.now });

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-feed-'));
    const fail = (error: unknown): never => {
      throw error;
    };
    const look = () => ({ master, tiers: null, rest: null, maintenance: null, capacity: null });
    feed = new MetricsFeed(metrics, look, 10, metrics.archive(dir, fail), fail);
    await feed.start();
  });
  afterAll(async () => {
    await feed.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const readyShards = (): string[] => {
    return metrics.queries.latest('shard_ready').map(({ labels }) => `${labels['cluster']}/${labels['shard']}`);
  };

  it('a shard that moves to another cluster, and one that is no more, leave no last state behind', async () => {
    master = view((shard) => shard);
    await until(() => readyShards().length === 2);
    master = view(() => 0);
    await until(() => readyShards().join() === '0/0,0/1');
    expect(metrics.queries.latest('cluster_ready').map(({ labels }) => labels)).toEqual([{ cluster: '0' }]);
    master = null;
    await until(() => readyShards().length === 0);
  });

  it('handoffs are counted by outcome, with how long the last one was felt, as long as there is the cluster', () => {
    const event = { cluster: 7, pid: 1, incarnation: 'c7-a', dropped: null };
    feed.onEvent({ ...event, type: 'cluster.handed-over', predecessor: 2, gapMs: 50, caughtUpMs: 80 });
    feed.onEvent({ ...event, type: 'cluster.formed', shards: 4, gapMs: 30, caughtUpMs: 70 });
    feed.onEvent({ type: 'cluster.handoff-failed', cluster: 7, reason: 'it dies' });
    const counted = metrics.queries.latest('cluster_handoffs_total').map(({ labels, value }) => [labels, value]);
    expect(counted).toEqual([
      [{ cluster: '7', outcome: 'done' }, 2],
      [{ cluster: '7', outcome: 'failed' }, 1],
    ]);
    const felt = (): number[] =>
      (['cluster_handoff_gap_seconds', 'cluster_handoff_catch_up_seconds'] as const).flatMap((name) =>
        metrics.queries.latest(name).map(({ value }) => value),
      );
    expect(felt()).toEqual([0.03, 0.07]);
    feed.onEvent({ type: 'cluster.dissolved', cluster: 7 });
    expect(felt()).toEqual([]);
  });
});
