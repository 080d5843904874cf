import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';
import { settled } from './support/settled';

const SHARDS = 16;
/** Real pacing, shortened: violations are counted by the same rule. */
const INTERVAL_MS = 500;

describe.each([
  ['CommonJS', 'plain.cjs'],
  ['ES module', 'plain.mjs'],
  ['TypeScript', 'plain.ts'],
])('a plain bot, %s', (_, bot) => {
  let sandbox: Sandbox;
  let botctl: Botctl;

  beforeAll(async () => {
    sandbox = new Sandbox({ guilds: 160, shards: SHARDS, maxConcurrency: 4, identifyIntervalMs: INTERVAL_MS });
    const { apiUrl } = await sandbox.listen();
    botctl = new Botctl({
      bot,
      api: apiUrl,
      config: { sharding: { shardsPerCluster: 4 }, identify: { interval: `${INTERVAL_MS}ms` } },
    });
    botctl.start();
  });
  afterAll(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  it('runs unmodified: 16 shards in 4 clusters, all ready, paced, answering', async () => {
    const status = await botctl.untilReady();
    expect(status.clusters.map(({ shards }) => shards)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
      [12, 13, 14, 15],
    ]);
    expect(status.shards.map(({ id, state }) => `${id} ${state}`)).toEqual(
      Array.from({ length: SHARDS }, (_unused, id) => `${id} ready`),
    );
    expect(status.clusters.every(({ agent, restarts }) => agent === true && restarts === 0)).toBe(true);
    expect(status.clusters.flatMap(({ notices }) => notices)).toEqual([]);
    expect(status.problems).toEqual([]);

    const report = sandbox.report();
    expect(report.identifies).toBe(SHARDS);
    expect(report.violations).toEqual([]);
    expect(status.identify).toMatchObject({ total: 1_000, remaining: 1_000 - SHARDS, maxConcurrency: 4, queued: 0 });

    // Guilds come in the first sample.
    await botctl.untilStatus(({ shards }) => shards.reduce((sum, { guilds }) => sum + guilds, 0) === 160);

    sandbox.setRate(100);
    await until(() => sandbox.report().answered >= 50);
    sandbox.setRate(0);
    await settled(sandbox);
    expect(sandbox.report()).toMatchObject({ lost: 0, doubled: 0 });
  });
});
