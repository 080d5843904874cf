import { buildSync } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl, type BotctlOptions } from './support/botctl';

const VARIANTS = resolve(__dirname, 'bots/variants.cjs');

describe('a bot', () => {
  let sandbox: Sandbox;
  let api: string;
  let botctl: Botctl;

  beforeEach(async () => {
    sandbox = new Sandbox({ guilds: 40, shards: 4, maxConcurrency: 16, identifyIntervalMs: 100 });
    ({ apiUrl: api } = await sandbox.listen());
  });
  afterEach(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  function start(variant: string, options: Partial<BotctlOptions> = {}): ReturnType<Botctl['start']> {
    const { env, ...rest } = options;
    botctl = new Botctl({
      bot: VARIANTS,
      api,
      env: { VARIANT: variant, ...env },
      config: { sharding: { shardsPerCluster: 2 }, identify: { interval: '100ms' } },
      ...rest,
    });
    return botctl.start();
  }

  it('with several clients runs; what is lost by it is said', async () => {
    start('several-clients');
    const status = await botctl.untilStatus(
      ({ clusters }) =>
        clusters.length === 2 && clusters.every(({ state, notices }) => state === 'ready' && notices.length > 0),
    );
    expect(status.clusters[0]?.notices).toEqual([
      'more than one client logs in: shards are shown for the first one, no session survives a restart',
    ]);
    await until(() => botctl.logs().split('second is ready').length === 3);
    expect(sandbox.report()).toMatchObject({ identifies: 8, violations: [] });
  });

  it('that sets its own shards runs by the plan', async () => {
    start('own-shards');
    const status = await botctl.untilReady();
    expect(status.clusters[1]?.notices).toEqual([
      'the bot sets shards or shardCount itself; botctl runs it by its own plan',
    ]);
    expect(sandbox.report().identifies).toBe(4);
  });

  it('that starts processes and threads of its own keeps the agent out of them', async () => {
    start('children');
    await botctl.untilReady();
    await until(() => botctl.logs().includes('worker runs') && botctl.logs().includes('child sees'));
    const sight = /child sees ([^"]*)"/.exec(botctl.logs())?.[1] ?? '';
    expect(sight).toMatch(/^\|/);
    expect(sight).not.toContain('preload');
  });

  it('with the SDK is told of its stop, and a handler that fails changes nothing', async () => {
    const { ended } = start('sdk');
    await botctl.untilReady();
    expect((await botctl.cli('stop')).code).toBe(0);
    expect((await ended).code).toBe(0);
    for (const [id, shards] of [
      [0, '0,1'],
      [1, '2,3'],
    ] as const) {
      expect(botctl.logs()).toContain(`onStop of cluster ${id} with shards ${shards}, REST still has a token: true`);
    }
    expect(botctl.logs()).toContain('a stop handler of the bot failed');
    botctl.start();
    await botctl.untilReady();
    expect(sandbox.report()).toMatchObject({ identifies: 4, resumes: 4 });
  });

  it('in a bundle runs without the hook, and `status` says so', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'botctl-bundle-'));
    try {
      const outfile = join(dir, 'bot.cjs');
      buildSync({
        entryPoints: [VARIANTS],
        bundle: true,
        platform: 'node',
        outfile,
        logLevel: 'silent',
        external: ['zlib-sync', 'bufferutil', 'utf-8-validate', '*/dist/src/sdk'],
      });
      // One shard per process: without permits nobody paces them.
      start('own-api', {
        bot: outfile,
        env: { OWN_API: api },
        config: { sharding: { totalShards: 2, shardsPerCluster: 1 } },
      });
      const status = await botctl.untilStatus(({ verdict, clusters }) => verdict === 'well' && clusters.length === 2);
      expect(status.clusters.map(({ agent }) => agent)).toEqual([false, false]);
      expect(status.clusters[0]?.notices).toEqual([
        'discord.js is part of a bundle, out of reach: no identify queue, no sessions',
      ]);
      expect((await botctl.cli('stop')).code).toBe(0);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
