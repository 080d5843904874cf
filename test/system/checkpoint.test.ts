import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IncidentList } from '../../src/control/incidents';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

const SHARDS = 4;
const GUILDS = 200;
const PER_CLUSTER = 2;

describe('a process that is killed', () => {
  let sandbox: Sandbox;
  let botctl: Botctl;

  async function setUp(bot: string): Promise<void> {
    sandbox = new Sandbox({ guilds: GUILDS, shards: SHARDS, maxConcurrency: 16, identifyIntervalMs: 200 });
    const { apiUrl: api } = await sandbox.listen();
    botctl = new Botctl({
      bot,
      api,
      config: {
        sharding: { shardsPerCluster: PER_CLUSTER, checkpoint: { interval: '1s' } },
        identify: { interval: '200ms' },
        rest: { guard: false },
      },
    });
  }
  afterEach(async () => {
    await botctl.dispose();
    await sandbox.close();
  });

  /** Of every cluster that has a whole checkpoint. */
  function notes(): string[] {
    const dir = join(botctl.stateDir, 'clusters');
    const files = readdirSync(dir).map((name) => join(dir, name, 'checkpoint.json'));
    return files.filter((file) => existsSync(file));
  }

  async function untilKept(): Promise<void> {
    await until(() => notes().length === SHARDS / PER_CLUSTER);
  }

  /** Interactions that the processes work on, by what they keep. */
  function inHand(): number {
    const last = notes().map((note) => {
      const { file } = JSON.parse(readFileSync(note, 'utf8')) as { file: string };
      const [line = ''] = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-1);
      return (JSON.parse(line) as { inHand?: number }).inHand ?? 0;
    });
    return last.reduce((sum, count) => sum + count, 0);
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
    await setUp('plain.cjs');
    botctl.start();
    const before = await botctl.untilReady();
    await untilGuilds();
    sandbox.setRate(50);
    await untilKept();
    await untilAnswering();
    const [first] = before.clusters;
    const underWay = sandbox.report().outstanding + 50;
    process.kill(first?.pid ?? 0, 'SIGKILL');
    await botctl.untilStatus(({ clusters, verdict }) => verdict === 'well' && clusters[0]?.pid !== first?.pid);
    await untilAnswering();
    sandbox.setRate(0);
    await until(() => sandbox.report().outstanding === 0);
    const report = sandbox.report();
    expect(report).toMatchObject({ identifies: SHARDS, resumes: PER_CLUSTER, failedResumes: 0, violations: [] });
    expect(report.lost).toBeLessThanOrEqual(underWay);
    await untilGuilds();
  });

  it('together with the supervisor and all others: the next start resumes', async () => {
    await setUp('plain.cjs');
    const { ended } = botctl.start();
    await botctl.untilReady();
    sandbox.setRate(50);
    await untilKept();
    await untilAnswering();
    for (const pid of botctl.processes()) process.kill(pid, 'SIGKILL');
    await ended;
    botctl.start();
    await botctl.untilReady();
    await untilAnswering();
    expect(sandbox.report()).toMatchObject({ identifies: SHARDS, resumes: SHARDS, failedResumes: 0, violations: [] });
  });

  it('has its successor tell how many interactions it worked on', async () => {
    await setUp('silent.cjs');
    botctl.start();
    const { clusters } = await botctl.untilReady();
    await untilKept();
    sandbox.setRate(20);
    await until(() => sandbox.report().outstanding >= 10);
    sandbox.setRate(0);
    const { outstanding } = sandbox.report();
    await until(() => inHand() === outstanding, { timeoutMs: 2_000 });
    for (const { pid } of clusters) process.kill(pid ?? 0, 'SIGKILL');
    const told = /was killed while it worked on (\d+) interactions/;
    const { clusters: after } = await botctl.untilStatus((status) =>
      status.clusters.every(({ notices }) => notices.some((text) => told.test(text))),
    );
    const counts = after.map(({ notices }) => Number(told.exec(notices.join())?.[1]));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(outstanding);
    // And in the history of what has killed them.
    const { incidents } = JSON.parse((await botctl.cli('incidents', 'list', '--all', '--json')).stdout) as IncidentList;
    const timelines = incidents.filter(({ rule }) => rule === 'cluster-crash').flatMap(({ timeline }) => timeline);
    const lost = timelines.flatMap(({ kind, text }) => (kind === 'note' ? Number(told.exec(text)?.[1] ?? 0) : []));
    expect(lost.reduce((sum, count) => sum + count, 0)).toBe(outstanding);
  });
});
