import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';
import { settled } from './support/settled';

const SHARDS = 16;
const INTERVAL_MS = 200;

describe('the gateway', () => {
  let sandbox: Sandbox;
  let botctl: Botctl;

  async function run(options: ConstructorParameters<typeof Sandbox>[0] = {}, config: Record<string, object> = {}) {
    sandbox = new Sandbox({
      guilds: 160,
      shards: SHARDS,
      maxConcurrency: 4,
      identifyIntervalMs: INTERVAL_MS,
      heartbeatIntervalMs: 1_000,
      ...options,
    });
    const { apiUrl } = await sandbox.listen();
    botctl = new Botctl({
      bot: 'plain.cjs',
      api: apiUrl,
      config: { sharding: { shardsPerCluster: 8 }, identify: { interval: `${INTERVAL_MS}ms` }, ...config },
    });
    return botctl.start();
  }
  afterEach(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  it('fails as a whole and forgets all sessions: all shards come back, backing off together, without a violation', async () => {
    await run();
    await botctl.untilReady();
    const { connectionsOpened } = sandbox.report();
    sandbox.fault('outage', { seconds: 5, forgetSessions: true });
    await botctl.untilStatus(({ gateway }) => gateway.gate !== 'passing');
    await until(() => sandbox.report().identifies === 2 * SHARDS);
    await botctl.untilReady();
    const report = sandbox.report();
    expect(report.violations).toEqual([]);
    expect(report.identifies).toBe(2 * SHARDS);
    // Stock discord.js knocks every 0.5 s with every shard: 160 times in these 5 s.
    expect(report.connectionsRefused).toBeLessThan(60);
    expect(report.connectionsOpened).toBeGreaterThan(connectionsOpened);
  });

  it('fails for a moment and keeps the sessions: all resume, none identifies, no event is lost', async () => {
    await run();
    await botctl.untilReady();
    sandbox.setRate(100);
    sandbox.fault('outage', { seconds: 3 });
    await until(() => sandbox.report().resumes === SHARDS);
    await botctl.untilReady();
    sandbox.setRate(0);
    await settled(sandbox);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, lost: 0, doubled: 0, violations: [] });
  });

  it.each([
    [4004, /token/i],
    [4014, /intent/i],
  ])(
    'closes with %d: held as fatal, one sentence with the fix, no further identifies, also after a restart',
    async (code, fix) => {
      await run();
      sandbox.fault('close-on-identify', { code });
      const status = await botctl.untilStatus(
        ({ clusters }) => clusters.length > 0 && clusters.every(({ state }) => state === 'fatal'),
      );
      expect(status.verdict).toBe('degraded');
      expect(status.problems[0]).toMatch(fix);
      const { identifies } = sandbox.report();
      expect(identifies).toBeLessThanOrEqual(8);
      await botctl.cli('stop');
      botctl.start();
      await botctl.untilStatus(
        ({ clusters }) => clusters.length > 0 && clusters.every(({ state }) => state === 'fatal'),
      );
      expect(sandbox.report().identifies).toBe(identifies);

      // The operator has cured it.
      sandbox.fault('close-on-identify', { code, count: 0 });
      expect((await botctl.cli('restart')).code).toBe(0);
      await botctl.untilReady();
      expect(sandbox.report().violations).toEqual([]);
    },
  );

  it('invalidates sessions: each shard identifies again in its turn', async () => {
    await run();
    await botctl.untilReady();
    sandbox.fault('invalidate', {});
    await until(() => sandbox.report().identifies === 2 * SHARDS);
    await botctl.untilReady();
    expect(sandbox.report().violations).toEqual([]);
  });

  it('does not acknowledge heartbeats: the shard resumes', async () => {
    await run();
    await botctl.untilReady();
    sandbox.fault('deaf', { shard: 3, seconds: 3 });
    await until(() => sandbox.report().resumes >= 1);
    const status = await botctl.untilReady();
    expect(status.shards[3]?.resumes).toBeGreaterThanOrEqual(1);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, violations: [] });
  });

  it('reconnects one shard on `botctl restart --shard`', async () => {
    await run();
    await botctl.untilReady();
    const { code, stdout } = await botctl.cli('restart', '--shard', '7');
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('shard 7: ready') as unknown });
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: 1 });
  });

  it('has no identifies left: what runs goes on, what starts waits, and `status` says until when', async () => {
    await run({ sessionStartTotal: 1_000, sessionStartRemaining: 8 });
    const status = await botctl.untilStatus(({ identify }) => identify.blocked !== null && identify.remaining !== null);
    expect(status.identify.queued).toBeGreaterThan(0);
    expect(status.identify.resetAt).toBeGreaterThan(Date.now());
    expect(sandbox.report().violations).toEqual([]);
    // At zero Discord resets the token: the last ones are never spent.
    expect(sandbox.report().sessionStart.remaining).toBeGreaterThan(0);
  });
});
