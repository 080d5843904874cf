import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Sandbox } from '../../src/sandbox';
import type { HandoffStep } from '../../src/sharding/handoff/replace';
import type { RosterEntry } from '../../src/sharding/roster';
import { until } from '../support/until';
import { Botctl, type BotctlOptions } from './support/botctl';
import { settled } from './support/settled';

const SHARDS = 4;
const CLUSTERS = 2;
const STEPS = ['booting', 'copying', 'connecting', 'cutting', 'resuming', 'draining'] as const satisfies HandoffStep[];
const VICTIMS = ['successor', 'predecessor', 'supervisor'] as const;
/** HANDOFF_STEPS=all: every victim at every step; else those where most can go wrong. */
const KILLS =
  process.env['HANDOFF_STEPS'] === 'all'
    ? VICTIMS.flatMap((victim) => STEPS.map((step) => [victim, step] as const))
    : ([
        ['successor', 'cutting'],
        ['predecessor', 'resuming'],
        ['supervisor', 'cutting'],
      ] as const);

describe('a handoff', () => {
  let sandbox: Sandbox;
  let api: string;
  let botctl: Botctl;

  beforeEach(async () => {
    sandbox = new Sandbox({ guilds: 200, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 200 });
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
        sharding: { shardsPerCluster: SHARDS / CLUSTERS, ...sharding },
        identify: { interval: '200ms' },
        // Half of the answers would wait for Discord's global limit.
        rest: { guard: false },
      },
      ...options,
    });
    return botctl;
  }

  /** The processes that the roster knows, and that no one else is left. */
  function roster(): RosterEntry[] {
    const dir = join(botctl.stateDir, 'clusters');
    return readdirSync(dir)
      .filter((name) => /^c\d+-\w+\.json$/.test(name))
      .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as RosterEntry);
  }

  /** Processes that run the bot. */
  function bots(): number[] {
    return botctl.processes().filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('test/system/bots/');
      } catch {
        return false; // ended meanwhile
      }
    });
  }

  /** One process per cluster, one connection per shard, and all of them answer. */
  async function untilConverged(): Promise<void> {
    await botctl.untilReady();
    await until(() => bots().length === CLUSTERS && roster().length === CLUSTERS, {
      what: () =>
        `one process per cluster: ${JSON.stringify(roster())} ${bots().join()}\n${botctl.logs().slice(-4_000)}`,
    });
    await until(() => sandbox.report().connections === SHARDS, {
      what: () => `${sandbox.report().connections} connections`,
    });
    const { answered } = sandbox.report();
    await until(() => sandbox.report().answered > answered + 50);
  }

  it('at 200 events per second: nothing lost, nothing doubled, no identify; the state of the bot goes along', async () => {
    make({ bot: 'handoff.cjs' }).start();
    await botctl.untilReady();
    const before = new Set(bots());
    sandbox.setRate(200);
    await until(() => sandbox.report().answered >= 200);
    const { code, stdout, stderr } = await botctl.cli('restart');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/: handed over/g)).toHaveLength(CLUSTERS);
    await untilConverged();
    sandbox.setRate(0);
    await settled(sandbox);
    expect(bots().filter((pid) => before.has(pid))).toEqual([]);
    expect(sandbox.report()).toMatchObject({
      identifies: SHARDS,
      resumes: SHARDS,
      failedResumes: 0,
      lost: 0,
      doubled: 0,
      violations: [],
    });
    // What the old processes counted, the new ones know; and the operator was told what ended with them.
    expect(botctl.logs()).toMatch(/has taken over a count of [1-9]/);
    expect(stdout).toContain('1 collectors');
  });

  it('a successor that fails leaves everything as it was, and the command says why; --cold goes without one', async () => {
    make({ bot: 'handoff.cjs' }).start();
    await botctl.untilReady();
    const before = bots().sort();
    writeFileSync(join(botctl.dir, 'broken'), '');
    const { code, stdout, stderr } = await botctl.cli('restart', '--cluster', '1');
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(
      /Cluster 1 was not replaced and goes on as before: the successor ended \(exit code 3\)/,
    );
    expect(bots().sort()).toEqual(before);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: 0, closes: {} });

    rmSync(join(botctl.dir, 'broken'));
    const cold = await botctl.cli('restart', '--cluster', '1', '--cold');
    expect(cold.code).toBe(0);
    expect(cold.stdout).toContain('restarted, not handed over: a restart was asked for; 0 identifies spent');
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: SHARDS / CLUSTERS });
  });

  it('Discord answers while the bot takes its state over, and the bot hears of it afterwards', async () => {
    make({ bot: 'handoff.cjs' }).start();
    await botctl.untilReady();
    sandbox.setRate(100);
    await until(() => sandbox.report().answered >= 50);
    const gate = join(botctl.dir, 'slow-import');
    writeFileSync(gate, '');
    const restart = botctl.cli('restart', '--cluster', '0');
    await until(() => sandbox.report().resumes === SHARDS / CLUSTERS);
    const { sent } = sandbox.report();
    await until(() => sandbox.report().sent >= sent + 50);
    rmSync(gate);
    expect(await restart).toMatchObject({ code: 0, stdout: expect.stringContaining(': handed over') as string });
    await untilConverged();
    sandbox.setRate(0);
    await settled(sandbox);
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, lost: 0, doubled: 0, violations: [] });
    expect(botctl.logs()).toMatch(/has taken over a count of [1-9]/);
    expect(botctl.logs()).not.toContain('too early');
  });

  it('a refused resume identifies through the queue', async () => {
    make({ bot: 'handoff.cjs' }).start();
    await botctl.untilReady();
    sandbox.setRate(50);
    // While the successor holds its connections, Discord forgets the sessions.
    writeFileSync(join(botctl.dir, 'slow-ready'), '');
    const restart = botctl.cli('restart', '--cluster', '0');
    await untilStep('resuming');
    sandbox.fault('outage', { seconds: 0, forgetSessions: true });
    expect((await restart).code).toBe(0);
    await untilConverged();
    expect(sandbox.report().violations).toEqual([]);
    expect(sandbox.report().doubled).toBe(0);
  });

  describe.each(KILLS)('kill -9 of the %s at %s', (victim, step) => {
    it('converges: one process per cluster, no orphan, nothing doubled', async () => {
      const { child } = make().start();
      await botctl.untilReady();
      sandbox.setRate(50);
      await until(() => sandbox.report().answered >= 50);
      const [old] = roster().filter(({ clusterId }) => clusterId === 0);
      const restart = botctl.cli('restart', '--cluster', '0');
      await untilStep(step);
      const successor = roster().find(
        ({ clusterId, incarnation }) => clusterId === 0 && incarnation !== old?.incarnation,
      );
      const pid = { successor: successor?.pid, predecessor: old?.pid, supervisor: child.pid }[victim];
      try {
        process.kill(pid!, 'SIGKILL');
      } catch {
        // it has ended by itself in between
      }
      await restart;
      if (victim === 'supervisor') botctl.start();
      await untilConverged();
      sandbox.setRate(0);
      // What was under way in the process that served is lost; no event was in the hands of the others.
      const isTaken = step === 'draining' || (victim === 'successor' && hasServed(step, old?.pid));
      if (victim !== (isTaken ? 'successor' : 'predecessor')) await settled(sandbox);
      const { doubled, violations } = sandbox.report();
      expect({ doubled, violations }).toEqual({ doubled: 0, violations: [] });
    });
  });

  /** A successor that was killed from the cut on may have been the faster one: it has said so, its predecessor is gone. */
  function hasServed(step: HandoffStep, old: number | undefined): boolean {
    if (roster().some(({ pid }) => pid === old)) return false;
    expect(['cutting', 'resuming']).toContain(step);
    expect(sandbox.report().resumes).toBeGreaterThan(0);
    return true;
  }

  /** As soon as the log tells of the step. */
  async function untilStep(step: HandoffStep): Promise<void> {
    const end = Date.now() + 60_000;
    while (!botctl.logs().includes(`"step":"${step}"`)) {
      if (Date.now() > end) throw new Error(`no step ${step}\n${botctl.logs().slice(-3_000)}`);
      await delay(1);
    }
  }
});
