import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

const SHARDS = 4;
const GUILDS = 200;
const PER_CLUSTER = 2;

describe('a process that is killed', () => {
  let sandbox: Sandbox;
  let botctl: Botctl;

  beforeEach(async () => {
    sandbox = new Sandbox({ guilds: GUILDS, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 200 });
    const { apiUrl: api } = await sandbox.listen();
    botctl = new Botctl({
      bot: 'plain.cjs',
      api,
      config: {
        sharding: { shardsPerCluster: PER_CLUSTER, checkpoint: { interval: '1s' } },
        identify: { interval: '200ms' },
        rest: { guard: false },
      },
    });
  });
  afterEach(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  /** Every cluster that runs has a whole checkpoint. */
  async function untilKept(): Promise<void> {
    const dir = join(botctl.stateDir, 'clusters');
    const kept = (): number => readdirSync(dir).filter((name) => existsSync(join(dir, name, 'checkpoint.json'))).length;
    await until(() => kept() === SHARDS / PER_CLUSTER, { timeoutMs: 40_000 });
  }

  /** All guilds are in the caches. Each cluster tells every few seconds: the first figures may be of before all were in. */
  async function untilGuilds(): Promise<void> {
    await botctl.untilStatus(({ clusters }) => clusters.every(({ guilds }) => guilds === GUILDS / clusters.length));
  }

  /** Under load, each event that comes is answered again. */
  async function untilAnswering(): Promise<void> {
    const { answered } = sandbox.report();
    await until(() => sandbox.report().answered > answered + 100);
  }

  it('resumes its sessions with true caches: no identify; what was under way is all that may be lost', async () => {
    botctl.start();
    const before = await botctl.untilReady();
    await untilGuilds();
    sandbox.setRate(50);
    await untilKept();
    await untilAnswering();
    const [first] = before.clusters;
    const underWay = sandbox.report().outstanding + 50;
    process.kill(first?.pid ?? 0, 'SIGKILL');
    await botctl.untilStatus(({ clusters, verdict }) => verdict === 'well' && clusters[0]?.pid !== first?.pid, 60_000);
    await untilAnswering();
    sandbox.setRate(0);
    await until(() => sandbox.report().outstanding === 0, { timeoutMs: 30_000 });
    const report = sandbox.report();
    expect(report).toMatchObject({ identifies: SHARDS, resumes: PER_CLUSTER, failedResumes: 0, violations: [] });
    expect(report.lost).toBeLessThanOrEqual(underWay);
    await untilGuilds();
  });

  it('together with the supervisor and all others: the next start resumes', async () => {
    const { ended } = botctl.start();
    await botctl.untilReady();
    sandbox.setRate(50);
    await untilKept();
    await untilAnswering();
    for (const pid of botctl.processes()) process.kill(pid, 'SIGKILL');
    await ended;
    botctl.start();
    await botctl.untilReady(60_000);
    await untilAnswering();
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: SHARDS, failedResumes: 0, violations: [] });
  });
});
