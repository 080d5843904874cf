import { Sandbox } from '../../src/sandbox';
import { otherNode } from '../setup/other-node';
import { until } from '../support/until';
import { Botctl } from './support/botctl';
import { settled } from './support/settled';

const MACHINE = Number(process.versions.node.split('.', 1)[0]);
/** Each takes 10 s: all of them with BOTCTL_LONG=1. */
const PAIRS = [20, 22, 24].flatMap((major) =>
  ['plain.cjs', 'plain.mjs', 'plain.ts'].map((bot) => [major, bot] as const),
);
const SHORT = ['20 plain.mjs', '22 plain.cjs', '24 plain.ts'];
const CHOSEN = PAIRS.filter(([major, bot]) => {
  return major !== MACHINE && (process.env['BOTCTL_LONG'] === '1' || SHORT.includes(`${major} ${bot}`));
});

/** The whole way on the other majors of Node that botctl supports: start, answer, stop, resume. */
describe('on other majors of Node', () => {
  it.each(CHOSEN)('%d: %s starts, answers, stops and resumes', async (major, bot) => {
    const node = otherNode(major);
    const sandbox = new Sandbox({ guilds: 20, shards: 2, maxConcurrency: 16, identifyIntervalMs: 100 });
    const { apiUrl } = await sandbox.listen();
    const botctl = new Botctl({
      bot,
      api: apiUrl,
      node,
      config: { sharding: { shardsPerCluster: 2 }, identify: { interval: '100ms' } },
    });
    try {
      const { ended } = botctl.start();
      const status = await botctl.untilReady();
      expect(status.clusters.flatMap(({ agent, notices }) => [agent, ...notices])).toEqual([true]);
      sandbox.setRate(50);
      await until(() => sandbox.report().answered >= 30);
      expect((await botctl.cli('stop')).code).toBe(0);
      expect((await ended).code).toBe(0);
      botctl.start();
      await botctl.untilReady();
      sandbox.setRate(0);
      await settled(sandbox);
      expect(sandbox.report()).toMatchObject({ identifies: 2, resumes: 2, doubled: 0, violations: [] });
      expect((await botctl.cli('stop')).code).toBe(0);
      expect(botctl.processes()).toEqual([]);
    } finally {
      await botctl.dispose();
      await sandbox.close();
    }
  });
});
