import { chmodSync } from 'node:fs';
import type { RecoveryOverview } from '../../src/control/recovery-contract';
import { INCIDENT_TYPES } from '../../src/incidents';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

const SHARDS = 4;

describe('recovery by hand', () => {
  let sandbox: Sandbox;
  let botctl: Botctl;

  beforeAll(async () => {
    sandbox = new Sandbox({ guilds: 40, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 50 });
    const { apiUrl } = await sandbox.listen();
    botctl = new Botctl({
      bot: 'lifecycle.cjs',
      api: apiUrl,
      config: {
        sharding: { shardsPerCluster: 2 },
        identify: { interval: '50ms' },
        gateway: { backoffMin: '30s', backoffMax: '60s' },
        metrics: { interval: '500ms' },
      },
    });
    chmodSync(botctl.dir, 0o755);
    botctl.start();
    await botctl.untilReady();
  });
  afterAll(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  const overview = async (): Promise<RecoveryOverview> =>
    JSON.parse((await botctl.cli('recover', '--json')).stdout) as RecoveryOverview;

  it('shows a strategy for each type of incident, with its limits', async () => {
    const { strategies, mode, outage } = await overview();
    expect(strategies.map(({ type }) => type)).toEqual([...INCIDENT_TYPES]);
    expect({ mode, outage }).toEqual({ mode: 'on', outage: null });
    const { stdout, code } = await botctl.cli('recover');
    expect(code).toBe(0);
    expect(stdout).toMatch(/memory-pressure +drop-caches, then collect-garbage, then replace-cluster/);
  });

  it('says what it would do, and does nothing', async () => {
    const before = await botctl.status();
    const { stdout, code } = await botctl.cli('recover', 'memory-pressure', '--scope', 'cluster:1', '--dry-run');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('would hand the sessions') as unknown,
    });
    expect((await botctl.status()).clusters.map(({ pid }) => pid)).toEqual(before.clusters.map(({ pid }) => pid));
    expect((await overview()).actions).toEqual([]);
  });

  it("calls the bot's own handlers in the cluster that is meant, and writes it down", async () => {
    const { code } = await botctl.cli('recover', 'memory-pressure', '--scope', 'cluster:1');
    expect(code).toBe(0);
    await until(() => botctl.logs().includes('cluster 1: caches dropped'));
    expect(botctl.logs()).not.toContain('cluster 0: caches dropped');
    const { actions } = await overview();
    expect(actions[0]).toMatchObject({ step: 'drop-caches', scope: 'cluster:1', ok: true, byHand: true });
    expect(actions[0]?.text).toMatch(/1 handler of the bot called/);
  });

  it('resumes a shard, which costs no identify', async () => {
    const { code } = await botctl.cli('recover', 'shard-stuck', '--scope', 'shard:3');
    expect(code).toBe(0);
    await until(() => sandbox.report().resumes === 1);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, violations: [] });
  });

  it.each([
    [['no-such-type'], /no incident type no-such-type/],
    [['shard-stuck', '--scope', 'shard:99'], /There is no shard:99/],
    [['crash-loop'], /Nothing can be done about crash-loop from here/],
    [['--end-outage'], /Outage mode is not on/],
  ])('refuses %s', async (args, why) => {
    const { code, stderr } = await botctl.cli('recover', ...args);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(why) as unknown });
  });

  it('goes into outage mode when all shards are refused, tells the bot, and leaves it by hand', async () => {
    sandbox.fault('outage', { seconds: 3_600 });
    const status = await botctl.untilStatus(({ outage }) => outage !== null);
    expect(status.problems[0]).toMatch(/^Discord is out: 4 of 4 shards are disconnected/);
    await until(() => botctl.logs().includes('cluster 1: discord true'));
    const { stderr, code } = await botctl.cli('recover', 'shard-stuck', '--scope', 'shard:0');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('Discord itself is out') as unknown });

    // The delays are long by now; an operator who knows better need not wait for them.
    sandbox.fault('outage', { seconds: 0 });
    expect((await botctl.cli('recover', '--end-outage')).code).toBe(0);
    await until(() => botctl.logs().includes('cluster 1: discord false'));
    await botctl.untilStatus(({ shards }) => shards.every(({ state }) => state === 'ready'));
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, violations: [] });
  });

  it('tells the bot before its connections are closed', async () => {
    await botctl.cli('stop');
    await until(() => botctl.logs().includes('cluster 0: drain stop, 2 connected'));
  });
});
