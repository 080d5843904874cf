import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Status } from '../../src/control/contract';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

const SHARDS = 3;
const ROOT = resolve(__dirname, '../..');

/** Every way to be bad takes 10 to 15 s: `npm run chaos:deploy` tries them all. */
const LONG = process.env['BOTCTL_LONG'] === '1';
const SHORT = ['throw-at-boot', 'throw-at-ready'];

const NOT_MOVED = 'cluster 0 (was not taken over|did not get ready with the new release|died with the new release): ';

const BAD: [bad: string, reason: RegExp][] = [
  ['throw-at-boot', /the bot does not boot: .*exit code 1.*: Error: no database at db\.internal/],
  ['throw-in-cluster', new RegExp(NOT_MOVED)],
  ['throw-at-ready', new RegExp(NOT_MOVED)],
  ['throw-later', /cluster 0 died with the new release: exit code 7/],
  ['errors', /answers fail: \d+\.\d % of \d+ with the new release, 0\.0 % with the old one/],
  ['leak', /memory(:| grows:) \d+ MB with the new release/],
  ['never-ready', new RegExp(NOT_MOVED)],
  ['hang', /cluster 0 (hangs|died|did not get ready|was not taken over).*/],
];

interface Listed {
  current: string;
  previous: string | null;
  releases: { id: string; clusters: number[] }[];
  history: { to: string; phase: string; reason: string | null }[];
}

describe('botctl deploy', () => {
  let sandbox: Sandbox;
  let botctl: Botctl;

  beforeAll(async () => {
    sandbox = new Sandbox({ guilds: 40, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 50 });
    const { apiUrl: api } = await sandbox.listen();
    botctl = new Botctl({
      bot: 'deployable.cjs',
      api,
      config: {
        bot: { entry: './bot.cjs' },
        sharding: {
          shardsPerCluster: 1,
          spawnTimeout: LONG ? '15s' : '60s',
          hangTimeout: '8s',
        },
        identify: { interval: '50ms' },
        metrics: { interval: '200ms' },
        deploy: { stability: LONG ? '12s' : '1500ms', pause: '0s', batch: 3, limits: { memory: '60MB' } },
      },
    });
    copyFileSync(join(__dirname, 'bots/deployable.cjs'), join(botctl.dir, 'bot.cjs'));
    symlinkSync(join(ROOT, 'node_modules'), join(botctl.dir, 'node_modules'));
    write({});
    botctl.start();
    await botctl.untilReady();
    sandbox.setRate(40);
    // The way back: what runs now, before its code is changed.
    await succeed('deploy', '--all-at-once');
  });
  afterAll(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  const write = (code: object): void => writeFileSync(join(botctl.dir, 'release.json'), JSON.stringify(code));
  /** What a command printed that must not fail. */
  const succeed = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await botctl.cli(...args);
    if (code !== 0) throw new Error(`exit code ${String(code)} of ${args.join(' ')}:\n${stdout}${stderr}`);
    return stdout;
  };
  /** Well, and over what the release before has done: a deploy is refused while an incident holds. */
  const untilCalm = (): Promise<Status> =>
    botctl.untilStatus(
      ({ verdict, incidents }) =>
        verdict === 'well' && incidents.every(({ type, state }) => type === 'deploy-failed' || state === 'mitigated'),
    );
  const processes = ({ clusters }: Status): (number | null)[] => clusters.map(({ pid }) => pid);
  const listed = async (): Promise<Listed> => JSON.parse((await botctl.cli('releases', '--json')).stdout) as Listed;

  it('moves every cluster to a release that is as good as the old one', async () => {
    write({ name: 'first' });
    expect(await succeed('deploy', '--rolling')).toMatch(/all clusters run release [0-9a-f]{12}/);
    const { current, releases } = await listed();
    expect(releases[0]).toMatchObject({ id: current, clusters: [0, 1, 2] });
    expect(await succeed('deploy')).toMatch(/all clusters run release [0-9a-f]{12} already/);
  });

  it.each(BAD.filter(([bad]) => LONG || SHORT.includes(bad)))(
    '%s: halted at the canary and rolled back, the others are not touched',
    async (bad, reason) => {
      const before = await untilCalm();
      write({ bad });
      const { code, stdout, stderr } = await botctl.cli('deploy');
      expect(stdout + stderr).toMatch(reason);
      expect(code).toBe(1);
      const after = await botctl.untilReady();
      expect(processes(after).slice(1)).toEqual(processes(before).slice(1));
      expect(after.clusters.map(({ release }) => release)).toEqual(before.clusters.map(({ release }) => release));
      expect(after.deploy).toMatchObject({ current: before.deploy?.current, rollout: null });
      expect(sandbox.report().violations).toEqual([]);
    },
  );

  it('a rollout whose supervisor is killed goes on with the next one', async () => {
    write({ name: 'second' });
    const before = await untilCalm();
    const { identifies } = sandbox.report();
    const deploying = botctl.cli('deploy');
    const midway = await botctl.untilStatus(({ deploy }) => {
      return deploy?.rollout?.clusters.some(({ step }) => step === 'replaced') === true;
    });
    process.kill(midway.supervisor.pid ?? 0, 'SIGKILL');
    expect(await deploying).toMatchObject({ code: 1, stderr: expect.stringContaining('--follow') as string });
    botctl.start();
    const after = await botctl.untilStatus(({ deploy }) => deploy?.rollout === null && deploy.last?.phase === 'done');
    expect(after.deploy).toMatchObject({ current: midway.deploy?.rollout?.to, previous: before.deploy?.current });
    expect(new Set(after.clusters.map(({ release }) => release))).toEqual(new Set([midway.deploy?.rollout?.to]));
    expect(sandbox.report()).toMatchObject({ identifies, violations: [] });
  });

  it('paused, it moves nothing more; aborted, what was moved goes back', async () => {
    write({ name: 'third' });
    const before = await untilCalm();
    const deploying = botctl.cli('deploy');
    await botctl.untilStatus(({ deploy }) => deploy?.rollout !== null);
    await succeed('deploy', '--pause');
    await botctl.untilStatus(({ deploy }) => deploy?.rollout?.clusters[0]?.step === 'replaced');
    expect((await botctl.cli('deploy')).stderr).toMatch(/The rollout of [0-9a-f]{12} is under way/);
    await succeed('deploy', '--abort');
    expect(await deploying).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('an operator ended it') as string,
    });
    const after = await botctl.untilReady();
    expect(after.clusters.map(({ release }) => release)).toEqual(before.clusters.map(({ release }) => release));
    expect(processes(after).slice(1)).toEqual(processes(before).slice(1));
    expect((await botctl.cli('deploy', '--pause')).stderr).toMatch(/No rollout is under way/);
  });

  it('rollback brings the release before back, and reload the new config', async () => {
    const { current, previous } = await listed();
    await succeed('rollback');
    expect(await listed()).toMatchObject({ current: previous, previous: current });
    const config = readFileSync(botctl.configFile, 'utf8');
    writeFileSync(
      botctl.configFile,
      config
        .replace('entry: ./bot.cjs', 'entry: ./bot.cjs\n  env: { GREETING: hello-again }')
        .replace('name: test-bot', 'name: other-name'),
    );
    const said = await succeed('reload');
    expect(said).toMatch(/changed: bot\.env\.GREETING/);
    expect(said).toMatch(/not reloaded: bot\.name \(use botctl stop, then botctl start\)/);
    await until(() => botctl.logs().split('hello-again').length > SHARDS);
    expect(await succeed('reload')).toMatch(/nothing has changed/);
  });
});
