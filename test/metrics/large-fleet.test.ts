import { Metrics } from '../../src/metrics';
import { HOUR, MINUTE, random, SimulatedCluster, START } from './fleet';
import { parseExposition } from '../support/exposition';

/** A tenth of 2,000 shards in 250 clusters; the bench does the whole. */
const CLUSTERS = 25;
const SHARDS_PER_CLUSTER = 8;
const BYTES_PER_SHARD = 100_000;

describe('a large bot', () => {
  it('fits into its memory, which does not grow once the 24 hours are full', async () => {
    let now = START;
    const metrics = new Metrics({ version: '1', maxBytes: 400e6, now: () => now });
    const rng = random(11);
    const clusters = Array.from({ length: CLUSTERS }, (_, id) => {
      const shards = Array.from({ length: SHARDS_PER_CLUSTER }, (_unused, index) => id * SHARDS_PER_CLUSTER + index);
      return new SimulatedCluster(id, shards, rng);
    });
    const bytes: number[] = [];
    for (let hour = 0; hour < 52; hour++) {
      // Six minutes of each hour: a block is taken for an hour, however much is in it.
      for (let minute = 0; minute < 6; minute++) {
        now = START + hour * HOUR + minute * 10 * MINUTE;
        for (const cluster of clusters) {
          metrics.take({ cluster: cluster.id, incarnation: 'a', adopted: false }, cluster.sample(now));
        }
        metrics.tick();
      }
      bytes.push(metrics.bytes);
    }
    const full = bytes.slice(26);
    expect(Math.max(...full) / Math.min(...full)).toBeLessThan(1.02);
    expect(Math.max(...bytes)).toBeLessThan(CLUSTERS * SHARDS_PER_CLUSTER * BYTES_PER_SHARD);

    const { values } = parseExposition(await metrics.exposition.text());
    expect(values.size).toBeLessThan(CLUSTERS * SHARDS_PER_CLUSTER * 20);
    expect(
      metrics.queries.range({ name: 'shard_events_total', from: START, to: now, stepMs: HOUR, top: 5 }),
    ).toMatchObject({
      total: CLUSTERS * SHARDS_PER_CLUSTER,
    });
  });
});
