import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl, type BotctlOptions } from './support/botctl';
import { settled } from './support/settled';

const SHARDS = 6;

describe('the end of a supervisor', () => {
  let sandbox: Sandbox;
  let api: string;
  let botctl: Botctl;

  beforeEach(async () => {
    sandbox = new Sandbox({ guilds: 80, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 200 });
    ({ apiUrl: api } = await sandbox.listen());
  });
  afterEach(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  function make(options: Partial<BotctlOptions> = {}, sharding: object = {}): Botctl {
    botctl = new Botctl({
      bot: 'plain.cjs',
      api,
      config: {
        // What a killed process leaves has a test of its own.
        sharding: { shardsPerCluster: 2, checkpoint: { enabled: false }, ...sharding },
        identify: { interval: '200ms' },
        // More answers than Discord's own limit allows: what is late shall be the machine's doing, not the guard's.
        rest: { globalPerSecond: 5_000 },
      },
      ...options,
    });
    return botctl;
  }

  it('SIGTERM under load: exit 0, no process left, and the next start resumes what was parked, in other clusters too', async () => {
    const { child, ended } = make().start();
    await botctl.untilReady();
    sandbox.setRate(80);
    await until(() => sandbox.report().answered >= 60);
    child.kill('SIGTERM');
    const { code, signal } = await ended;
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(botctl.processes()).toEqual([]);
    expect((await botctl.cli('status')).code).toBe(3);

    const config = readFileSync(botctl.configFile, 'utf8');
    writeFileSync(botctl.configFile, config.replace('shardsPerCluster: 2', 'shardsPerCluster: 3'));
    botctl.start();
    const { clusters } = await botctl.untilReady();
    expect(clusters.map((cluster) => cluster.shards)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    await until(() => sandbox.report().answered >= 200);
    sandbox.setRate(0);
    await settled(sandbox);
    expect(sandbox.report()).toMatchObject({
      identifies: SHARDS,
      resumes: SHARDS,
      lost: 0,
      doubled: 0,
      violations: [],
    });
  });

  it('`botctl stop` does the same, and says so', async () => {
    const { ended } = make().start();
    await botctl.untilReady();
    const stop = await botctl.cli('stop');
    expect(stop.code).toBe(0);
    expect(stop.stdout).toContain('stopped');
    expect((await ended).code).toBe(0);
    expect(botctl.processes()).toEqual([]);
    const again = await botctl.cli('stop');
    expect(again.code).toBe(3);
  });

  it('a bot that destroys its client on SIGTERM still resumes', async () => {
    const { child, ended } = make({ bot: 'misbehaving.cjs', env: { BAD: 'destroy-on-sigterm' } }).start();
    await botctl.untilReady();
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    botctl.start();
    await botctl.untilReady();
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: SHARDS });
  });

  it.each([
    ['without a handler', '', 'ended by SIGTERM'],
    ['that destroys its client', 'destroy-on-sigterm', 'exit code 0'],
  ])(
    'a cluster that is told to end by hand saves its sessions, and its successor resumes: a bot %s',
    async (_, bad, end) => {
      make({ bot: 'misbehaving.cjs', env: { BAD: bad } }).start();
      const { clusters } = await botctl.untilReady();
      sandbox.setRate(100);
      process.kill(clusters[1]?.pid ?? 0, 'SIGTERM');
      const after = await botctl.untilStatus((now) => now.verdict === 'well' && now.clusters[1]?.restarts === 1);
      expect(after.clusters[1]?.lastExit).toBe(end);
      sandbox.setRate(0);
      await settled(sandbox);
      expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: 2, lost: 0, doubled: 0 });
    },
  );

  it('a second SIGTERM ends everything at once, with an exit code that is not 0', async () => {
    const bot = { bot: 'misbehaving.cjs', env: { BAD: 'ignore-sigterm' } };
    const { child, ended } = make(bot, { stopTimeout: '60s' }).start();
    await botctl.untilReady();
    child.kill('SIGTERM');
    await until(() => botctl.logs().includes('SIGTERM ignored'));
    child.kill('SIGTERM');
    const { code, signal } = await ended;
    expect(signal).toBeNull();
    expect(code).toBeGreaterThan(0);
    expect(botctl.processes()).toEqual([]);
  });

  it('an error inside the supervisor: logged, the clusters end in order, exit code 1; a rejection alone ends nothing', async () => {
    make({ env: { NODE_OPTIONS: `--require ${join(__dirname, 'support/throw-on-signal.cjs')}` } });
    const { child, ended } = botctl.start();
    await botctl.untilReady();
    child.kill('SIGUSR2');
    expect((await ended).code).toBe(1);
    expect(botctl.processes()).toEqual([]);
    expect(botctl.logs()).toMatch(/rejected for the test.*an error inside botctl that nobody handled; it goes on/);
    expect(botctl.logs()).toMatch(/thrown for the test.*an error inside botctl: stopping gracefully/);
    botctl.start();
    await botctl.untilReady();
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: SHARDS });
  });

  it('a bot that ignores SIGTERM is killed at the deadline, and the exit is still graceful', async () => {
    const bot = { bot: 'misbehaving.cjs', env: { BAD: 'ignore-sigterm' } };
    const { child, ended } = make(bot, { stopTimeout: '3s' }).start();
    await botctl.untilReady();
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    expect(botctl.processes()).toEqual([]);
  });

  it('SIGKILL and a new start within the grace time: same processes, no identify, no event lost', async () => {
    const first = make().start();
    const before = await botctl.untilReady();
    sandbox.setRate(80);
    await until(() => sandbox.report().answered >= 60);
    const { connectionsOpened } = sandbox.report();
    first.child.kill('SIGKILL');
    await first.ended;
    expect((await botctl.cli('status')).code).toBe(3);

    botctl.start();
    const after = await botctl.untilReady();
    expect(after.clusters.map(({ pid }) => pid)).toEqual(before.clusters.map(({ pid }) => pid));
    expect(after.clusters.every(({ adopted }) => adopted)).toBe(true);
    const answered = sandbox.report().answered;
    await until(() => sandbox.report().answered >= answered + 100);
    sandbox.setRate(0);
    await settled(sandbox);
    expect(sandbox.report()).toMatchObject({
      identifies: SHARDS,
      resumes: 0,
      lost: 0,
      doubled: 0,
      connectionsOpened,
    });
    // Commands of the new supervisor reach the adopted clusters.
    expect((await botctl.cli('restart', '--cluster', '0')).code).toBe(0);
  });

  it('SIGKILL without a new start: no process left after the grace time, and a later start resumes', async () => {
    const { child, ended } = make({}, { graceTime: '2s' }).start();
    await botctl.untilReady();
    child.kill('SIGKILL');
    await ended;
    await until(() => botctl.processes().length === 0);
    botctl.start();
    await botctl.untilReady();
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: SHARDS, violations: [] });
  });

  it('SIGKILL without a new start: what hangs, or is stopped, does not outlive the grace time either', async () => {
    const bot = { bot: 'misbehaving.cjs', env: { BAD: 'loop-at-event', BAD_SHARD: '2' } };
    const { child, ended } = make(bot, { graceTime: '2s', stopTimeout: '20s' }).start();
    const { clusters } = await botctl.untilReady();
    process.kill(clusters[2]?.pid ?? 0, 'SIGSTOP');
    sandbox.setRate(50);
    await until(async () => (await botctl.cli('logs', '--cluster', '1')).stdout.includes('looping'));
    child.kill('SIGKILL');
    await ended;
    await until(() => botctl.processes().length === 0);
    sandbox.setRate(0);
    // Those that could, have saved their sessions.
    botctl.env['BAD'] = '';
    botctl.start();
    await botctl.untilReady();
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS + 4, resumes: SHARDS - 4 });
  });

  it('the next start dismisses the reaper of a killed supervisor, and a reaper that is killed is replaced', async () => {
    const { child, ended } = make({}, { graceTime: '1s' }).start();
    const reaper = (): number =>
      (JSON.parse(readFileSync(join(botctl.stateDir, 'clusters/reaper'), 'utf8')) as { pid: number }).pid;
    await botctl.untilReady();
    const first = reaper();
    process.kill(first, 'SIGKILL');
    await until(() => reaper() !== first);
    const second = reaper();
    child.kill('SIGKILL');
    await ended;
    botctl.start();
    await until(() => reaper() !== second);
    expect(botctl.processes()).not.toContain(second);
    expect((await botctl.cli('stop')).code).toBe(0);
    expect(botctl.processes()).toEqual([]);
  });

  it('SIGKILL of the supervisor and all clusters: without checkpoints the next start identifies, paced', async () => {
    const { ended } = make().start();
    await botctl.untilReady();
    for (const pid of botctl.processes()) process.kill(pid, 'SIGKILL');
    await ended;
    botctl.start();
    await botctl.untilReady();
    expect(sandbox.report()).toMatchObject({ identifies: 2 * SHARDS, resumes: 0, violations: [] });
  });
});
