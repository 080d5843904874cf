import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Status } from '../../src/control/contract';
import { Sandbox } from '../../src/sandbox';
import type { HandoffStep } from '../../src/sharding/handoff/replace';
import type { RosterEntry } from '../../src/sharding/roster';
import { until } from '../support/until';
import { Botctl } from './support/botctl';
import { settled } from './support/settled';

const SHARDS = 6;
const STEPS = ['booting', 'copying', 'connecting', 'cutting', 'resuming', 'draining'] as const satisfies HandoffStep[];
const VICTIMS = ['taker', 'giver', 'supervisor'] as const;
/** HANDOFF_STEPS=all: every victim at every step; else those where most can go wrong. */
const KILLS =
  process.env['HANDOFF_STEPS'] === 'all'
    ? ['--clusters 2', '--shards 8'].flatMap((to) => {
        return VICTIMS.flatMap((victim) => STEPS.map((step) => [to, victim, step] as const));
      })
    : ([
        ['--clusters 2', 'supervisor', 'cutting'],
        ['--shards 8', 'taker', 'connecting'],
      ] as const);

describe('botctl scale', () => {
  let sandbox: Sandbox;
  let botctl: Botctl;

  beforeEach(async () => {
    sandbox = new Sandbox({ guilds: 240, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 200 });
    const { apiUrl: api } = await sandbox.listen();
    botctl = new Botctl({
      bot: 'handoff.cjs',
      api,
      config: {
        sharding: { shardsPerCluster: 2 },
        identify: { interval: '200ms' },
        // Half of the answers would wait for Discord's global limit.
        rest: { guard: false },
      },
    });
  });
  afterEach(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  function roster(): RosterEntry[] {
    const dir = join(botctl.stateDir, 'clusters');
    return readdirSync(dir)
      .filter((name) => /^c\d+-\w+\.json$/.test(name))
      .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as RosterEntry);
  }

  async function scale(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const { code, stdout, stderr } = await botctl.cli('scale', ...args);
    return { code, stdout, stderr };
  }

  it('at 200 events per second: merges and splits clusters, nothing lost, nothing doubled, no identify', async () => {
    botctl.start();
    await botctl.untilReady();
    sandbox.setRate(200);
    await until(() => sandbox.report().answered >= 200);

    // 0,1 2,3 4,5 -> 0,1,2 3,4,5: one step, in which the middle one gives to both.
    const merged = await scale('--clusters', '2');
    expect(merged).toMatchObject({ code: 0, stderr: '' });
    expect(merged.stdout).toMatch(/3 clusters of 2 shards become 2 clusters of 3 shards, in one step/);
    expect(merged.stdout).toMatch(
      /2 clusters of 3 shards \(1 of 1 steps by handoff, 0 identifies, longest gap \d+ ms\)/,
    );
    const two = await botctl.untilReady();
    expect(two.clusters.map(({ shards }) => shards)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);

    const split = await scale('--shards-per-cluster', '1');
    expect(split).toMatchObject({ code: 0, stderr: '' });
    expect(split.stdout).toMatch(/6 clusters of 1 shard \(2 of 2 steps by handoff, 0 identifies/);
    const six = await botctl.untilReady();
    expect(six.clusters.map(({ shards }) => shards)).toEqual([[0], [1], [2], [3], [4], [5]]);
    await until(() => roster().length === SHARDS);
    sandbox.setRate(0);
    await settled(sandbox);
    expect(sandbox.report()).toMatchObject({
      identifies: SHARDS,
      resumes: 2 * SHARDS,
      failedResumes: 0,
      lost: 0,
      doubled: 0,
      violations: [],
      connections: SHARDS,
    });
  });

  it('another number of shards: a second generation beside the first, nothing lost, nothing doubled', async () => {
    botctl.start();
    await botctl.untilReady();
    sandbox.setRate(200);
    await until(() => sandbox.report().answered >= 200);
    expect((await scale('--shards', '8', '--dry-run')).stdout).toMatch(/become 4 clusters of 2 shards/);
    const { code, stdout, stderr } = await scale('--shards', '8', '--clusters', '2');
    expect({ code, stderr, stdout }).toMatchObject({ code: 0, stderr: '' });
    expect(stdout).toMatch(/8 of 8 shards have identified/);
    expect(stdout).toMatch(/all 8 shards identify beside the old ones, in about 5 s/);
    expect(stdout).toMatch(/2 clusters of 4 shards \(1 of 1 steps by handoff, 8 identifies, longest gap \d+ ms\)/);
    const { clusters, shards, bot } = await botctl.untilReady();
    expect(bot.totalShards).toBe(8);
    expect(clusters.map((cluster) => cluster.shards)).toEqual([[0, 1, 2, 3], [4, 5, 6, 7]]); // prettier-ignore
    expect(shards.reduce((sum, { guilds }) => sum + guilds, 0)).toBe(240);
    sandbox.setRate(0);
    await settled(sandbox);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS + 8, lost: 0, doubled: 0, violations: [] });
    // The state of the bot goes along, and so does the number, to the next start.
    expect(botctl.logs()).toMatch(/has taken over a count of [1-9]/);
    await botctl.cli('stop');
    botctl.start();
    expect((await botctl.untilReady()).bot.totalShards).toBe(8);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS + 8, failedResumes: 0 });
  });

  it('a bot that cannot run twice is scaled by stop and start, and resumes; what cannot be done is refused', async () => {
    botctl.start();
    await botctl.untilReady();
    const before = (await botctl.status()).clusters.map(({ pid }) => pid);
    const refused = await scale('--clusters', '7');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/7 clusters need at least as many shards; this host has 6\..*up to 6/s);
    const nothing = await scale('--shards-per-cluster', '2');
    expect(nothing).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/3 clusters of 2 shards already/) as string,
    });
    const dry = await scale('--clusters', '1', '--dry-run');
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/nothing was changed/) as string });
    expect(dry.stdout).toMatch(/3 clusters of 2 shards become 1 cluster of 6 shards, in one step/);
    writeFileSync(join(botctl.dir, 'broken'), '');
    const failed = await scale('--clusters', '1');
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/clusters 0 to 2 go on as before: a successor ended \(exit code 3\)/);
    expect((await botctl.status()).clusters.map(({ pid }) => pid)).toEqual(before);
    rmSync(join(botctl.dir, 'broken'));

    const { code, stdout } = await scale('--clusters', '1', '--cold');
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/restarted since a restart was asked for, 0 identifies/) as string,
    });
    expect((await botctl.untilReady()).clusters.map(({ shards }) => shards)).toEqual([[0, 1, 2, 3, 4, 5]]);
    // It stays so, until the config says something else.
    await botctl.cli('stop');
    botctl.start();
    expect((await botctl.untilReady()).clusters).toHaveLength(1);
    await botctl.cli('stop');
    const config = readFileSync(botctl.configFile, 'utf8');
    writeFileSync(botctl.configFile, config.replace('shardsPerCluster: 2', 'shardsPerCluster: 4'));
    botctl.start();
    expect((await botctl.untilReady()).clusters.map(({ shards }) => shards.length)).toEqual([4, 2]);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: 3 * SHARDS, violations: [] });
  });

  it('a new process that dies with the sessions in its hands: the old ones have kept them, and the next resumes', async () => {
    botctl.start();
    await botctl.untilReady();
    sandbox.setRate(50);
    await until(() => sandbox.report().answered >= 50);
    const old = roster().map(({ incarnation }) => incarnation);
    // It is busy for a second between being given the sessions and resuming them.
    writeFileSync(join(botctl.dir, 'slow-ready'), '');
    const scaling = scale('--clusters', '2');
    await untilStep('resuming');
    rmSync(join(botctl.dir, 'slow-ready'));
    const taker = roster().find(({ clusterId, incarnation }) => clusterId === 0 && !old.includes(incarnation));
    process.kill(taker!.pid, 'SIGKILL');
    const { code, stdout } = await scaling;
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/2 clusters of 3/) as string });
    await untilConverged();
    sandbox.setRate(0);
    await settled(sandbox);
    const { identifies, lost, doubled, violations } = sandbox.report();
    expect({ identifies, lost, doubled, violations }).toEqual({
      identifies: SHARDS,
      lost: 0,
      doubled: 0,
      violations: [],
    });
  });

  describe.each(KILLS)('%s: kill -9 of the %s at %s', (to, victim, step) => {
    it('converges: one process per cluster, no orphan, nothing doubled', async () => {
      const { child } = botctl.start();
      await botctl.untilReady();
      sandbox.setRate(50);
      await until(() => sandbox.report().answered >= 50);
      const old = roster();
      const scaling = scale(...to.split(' '));
      await untilStep(step);
      const taker = roster().find(({ incarnation }) => !old.some((entry) => entry.incarnation === incarnation));
      // The one in the middle gives to both.
      const giver = old.find(({ clusterId }) => clusterId === 1);
      const pid = { taker: taker?.pid, giver: giver?.pid, supervisor: child.pid }[victim];
      try {
        process.kill(pid!, 'SIGKILL');
      } catch {
        // it has ended by itself in between
      }
      await scaling;
      if (victim === 'supervisor') botctl.start();
      await untilConverged();
      sandbox.setRate(0);
      // What was under way in the process that served is lost; no event was in the hands of the others.
      const serves = STEPS.indexOf(step) < STEPS.indexOf('resuming') ? 'giver' : 'taker';
      if (victim !== serves && to === '--clusters 2') await settled(sandbox);
      const { doubled, violations } = sandbox.report();
      expect({ doubled, violations }).toEqual({ doubled: 0, violations: [] });
    });
  });

  /** One process per cluster, one connection per shard, and all of them answer. */
  async function untilConverged(): Promise<void> {
    const isOne = ({ clusters }: Status): boolean => {
      const pids = roster().map(({ pid }) => pid);
      return pids.length === clusters.length && clusters.every(({ pid }) => pid !== null && pids.includes(pid));
    };
    await botctl.untilReady();
    await botctl.untilStatus((status) => status.verdict === 'well' && isOne(status));
    const { bot } = await botctl.status();
    await until(() => sandbox.report().connections === bot.totalShards);
    const { answered } = sandbox.report();
    await until(() => sandbox.report().answered > answered + 50);
  }

  /** As soon as the log tells of the step. */
  async function untilStep(step: HandoffStep): Promise<void> {
    await until(() => botctl.logs().includes(`"step":"${step}"`), { timeoutMs: 60_000, everyMs: 1 });
  }
});
