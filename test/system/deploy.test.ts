import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Status } from '../../src/control/contract';
import { Sandbox } from '../../src/sandbox';
import { Botctl } from './support/botctl';

const SHARDS = 4;
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
        deploy: { stability: LONG ? '12s' : '3s', pause: '0s', batch: 3, limits: { memory: '60MB' } },
      },
    });
    copyFileSync(join(__dirname, 'bots/deployable.cjs'), join(botctl.dir, 'bot.cjs'));
    symlinkSync(join(ROOT, 'node_modules'), join(botctl.dir, 'node_modules'));
    write({});
    botctl.start();
    await botctl.untilReady(90_000);
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
  const processes = ({ clusters }: Status): (number | null)[] => clusters.map(({ pid }) => pid);
  const listed = async (): Promise<Listed> => JSON.parse((await botctl.cli('releases', '--json')).stdout) as Listed;

  it('moves every cluster to a release that is as good as the old one', async () => {
    write({ name: 'first' });
    expect(await succeed('deploy', '--rolling')).toMatch(/all clusters run release [0-9a-f]{12}/);
    const { current, releases } = await listed();
    expect(releases[0]).toMatchObject({ id: current, clusters: [0, 1, 2, 3] });
    expect(await succeed('deploy')).toMatch(/all clusters run release [0-9a-f]{12} already/);
  });

  it.each(BAD.filter(([bad]) => LONG || SHORT.includes(bad)))(
    '%s: halted at the canary and rolled back, the others are not touched',
    async (bad, reason) => {
      const before = await botctl.untilReady();
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
});
