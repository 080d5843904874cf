import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Status } from '../../src/control/contract';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

const SHARDS = 4;
const FAST_RESTART = { backoffMin: '100ms', backoffMax: '500ms', maxRestarts: 3, window: '60s', crashLoopRetry: '1m' };

describe('a cluster that fails', () => {
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

  function make(env: Record<string, string> = {}, sharding: object = {}): Botctl {
    botctl = new Botctl({
      bot: 'misbehaving.cjs',
      api,
      env,
      config: {
        // What a killed process leaves has a test of its own.
        sharding: { shardsPerCluster: 2, restart: FAST_RESTART, checkpoint: { enabled: false }, ...sharding },
        identify: { interval: '200ms' },
      },
    });
    return botctl;
  }

  const others = (status: Status, id: number): unknown[] =>
    status.clusters
      .filter((cluster) => cluster.id !== id)
      .map(({ pid, state, restarts }) => ({ pid, state, restarts }));

  it('killed with SIGKILL: comes back, the others are unaffected', async () => {
    make().start();
    const before = await botctl.untilReady();
    process.kill(before.clusters[1]?.pid ?? 0, 'SIGKILL');
    const after = await botctl.untilStatus(
      ({ verdict, clusters }) => verdict === 'well' && clusters[1]?.restarts === 1,
    );
    expect(after.clusters[1]?.pid).not.toBe(before.clusters[1]?.pid);
    expect(after.clusters[1]?.lastExit).toBe('ended by SIGKILL');
    expect(others(after, 1)).toEqual(others(before, 1));
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS + 2, violations: [] });
  });

  it('the list of processes cannot be written, as on a full disk: the bot goes on', async () => {
    make().start();
    const before = await botctl.untilReady();
    const roster = join(botctl.stateDir, 'clusters');
    const entries = readdirSync(roster).filter((name) => /^c\d+-.*\.json$/.test(name));
    const file = (cluster: number): string =>
      join(roster, entries.find((name) => name.startsWith(`c${cluster}-`)) ?? 'none');
    mkdirSync(`${file(0)}.new`);
    const from = Date.now();
    // In order, so that the first of them has been tried.
    await until(() => statSync(file(1)).mtimeMs > from, { what: 'the list is not written any more' });
    expect((await botctl.status()).clusters.map(({ pid }) => pid)).toEqual(before.clusters.map(({ pid }) => pid));
    rmdirSync(`${file(0)}.new`);
    await until(() => statSync(file(0)).mtimeMs > from, { what: 'the first entry is not written again' });
  });

  it('all killed at once: all come back without one violation', async () => {
    make().start();
    const before = await botctl.untilReady();
    for (const { pid } of before.clusters) process.kill(pid ?? 0, 'SIGKILL');
    await botctl.untilStatus(
      ({ verdict, clusters }) => verdict === 'well' && clusters.every(({ restarts }) => restarts === 1),
    );
    expect(sandbox.report()).toMatchObject({ identifies: 2 * SHARDS, violations: [] });
  });

  it('in an endless loop: found by its silence, killed, restarted', async () => {
    make({ BAD: 'loop-at-event', BAD_SHARD: '2' }, { hangTimeout: '2s' }).start();
    const before = await botctl.untilReady();
    sandbox.setRate(50);
    const hung = await botctl.untilStatus(({ clusters }) => (clusters[1]?.restarts ?? 0) > 0);
    sandbox.setRate(0);
    expect(hung.clusters[1]?.lastExit).toMatch(/^hung: its event loop did not answer for \d+ s$/);
    await botctl.untilReady();
    expect(others(await botctl.status(), 1)).toEqual(others(before, 1));
  });

  it.each([
    ['exit-at-boot', 'exit code 1'],
    ['throw-at-boot', 'exit code 1'],
    ['exit-at-ready', 'exit code 1'],
    ['exit-at-random', 'exit code 1'],
  ])('%s: restarted until the policy calls it a crash loop', async (bad, exit) => {
    make({ BAD: bad, BAD_SHARD: '0' }).start();
    const status = await botctl.untilStatus(
      ({ clusters }) =>
        clusters[0]?.state === 'crash-loop' && clusters.slice(1).every(({ state }) => state === 'ready'),
    );
    expect(status.verdict).toBe('degraded');
    expect(status.clusters[0]).toMatchObject({ restarts: 4, lastExit: exit, pid: null });
    expect(status.clusters[0]?.retryAt).toBeGreaterThan(Date.now());
    expect(status.clusters.slice(1).map(({ restarts }) => restarts)).toEqual([0]);
    expect((await botctl.cli('status')).code).toBe(1);
    expect(sandbox.report().violations).toEqual([]);
  });

  it('that loops at boot or never logs in is ended by the spawn time-out, with the reason', async () => {
    make({ BAD: 'never-login', BAD_SHARD: '0' }, { spawnTimeout: '4s' }).start();
    // A machine with too much to do may first need longer than that to start a process at all.
    await botctl.untilStatus(
      ({ clusters }) => clusters[0]?.lastExit === 'the bot did not call client.login() within 4 s',
    );
  });

  it('with a flood of output does not stop the supervisor from answering', async () => {
    make({ BAD: 'flood', BAD_SHARD: '0' }).start();
    await botctl.untilReady();
    await until(() => botctl.logs().length > 1_000_000);
    expect((await botctl.cli('status')).code).toBe(0);
  });
});
