import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { History } from '../../src/capacity/history';
import { HistoryFolder } from '../../src/capacity/history-folder';
import type { CapacityReport } from '../../src/capacity';
import { Sandbox } from '../../src/sandbox';
import { parseExposition, sumOf } from '../support/exposition';
import { until } from '../support/until';
import { Botctl } from './support/botctl';

const HOUR_MS = 3_600_000;
const GUILDS_A_DAY = 25;

let sandbox: Sandbox;
let botctl: Botctl;

beforeAll(async () => {
  sandbox = new Sandbox({ guilds: 40, shards: 4, maxConcurrency: 16, identifyIntervalMs: 50 });
  const { apiUrl } = await sandbox.listen();
  botctl = new Botctl({
    bot: 'plain.cjs',
    api: apiUrl,
    config: {
      sharding: { shardsPerCluster: 2, graceTime: '0s' },
      identify: { interval: '50ms' },
      http: { enabled: true, port: 0 },
      postgres: { embedded: { enabled: true, shards: 2 } },
    },
  });
  chmodSync(botctl.dir, 0o755); // for the embedded Postgres, which may have to run as another user
  mkdirSync(botctl.stateDir, { mode: 0o700 });
  await fill(join(botctl.stateDir, 'capacity'));
});
afterAll(async () => {
  await botctl.cli('stop');
  await botctl.dispose();
  await sandbox.close();
});

/** A month in which the fullest shard has grown by 25 guilds a day, to 1,900. */
async function fill(dir: string): Promise<void> {
  const now = Date.now();
  const history = new History('a-test');
  for (let hour = 719; hour >= 1; hour--) {
    const value = Math.round(1_900 - (hour / 24) * GUILDS_A_DAY);
    history.add([{ resource: 'guilds-per-shard', scope: 'bot', value, limit: 2_500 }], now - hour * HOUR_MS);
  }
  const folder = new HistoryFolder(dir);
  await folder.load();
  await folder.save('a-test', history.all(), now);
}

async function reportOf(...args: string[]): Promise<CapacityReport & { supervisor: string }> {
  return JSON.parse((await botctl.cli('capacity', '--json', ...args)).stdout) as CapacityReport & {
    supervisor: string;
  };
}

test('without a supervisor and its report: a clear error', async () => {
  const { code, stderr } = await botctl.cli('capacity');
  expect(code).toBe(3);
  expect(stderr).toContain('no supervisor is running');
});

test('tells what is used up when, and the change to make; goes on after a kill; answers when nobody is there', async () => {
  const first = botctl.start();
  await botctl.untilReady();
  // The first look may have been before the clusters were there.
  await until(async () => guilds(await reportOf()) !== undefined, { everyMs: 1_000 });
  const report = await reportOf();
  expect(report).toMatchObject({ supervisor: 'running', keptIn: 'postgres', unwrittenHours: 0, problem: null });
  const names = new Set(report.resources.map(({ resource }) => resource));
  for (const name of ['guilds-per-shard', 'memory', 'heap', 'cpu', 'disk', 'identifies', 'connections'] as const) {
    expect(names).toContain(name);
  }
  const sizes = report.resources.filter(({ resource }) => resource === 'database-size');
  expect(sizes.map(({ scope }) => scope).sort()).toEqual(['db:0', 'db:1']);
  for (const { value, limit } of sizes) expect(limit).toBeGreaterThan(value);
  const change = report.recommendations.find(({ resource }) => resource === 'guilds-per-shard');
  expect(change?.change).toMatchObject({ where: 'config', key: 'sharding.totalShards', from: 'auto (4)' });
  const [, full] = guilds(report)?.meetings ?? [];
  expect(Math.abs(((full?.at ?? 0) - Date.now()) / (24 * HOUR_MS) - 24)).toBeLessThan(2.4);

  const text = await botctl.cli('capacity', '--plot');
  expect(text.code).toBe(1);
  expect(text.stdout).toMatch(/sharding\.totalShards: auto \(4\) -> \d+/);
  expect(text.stdout).toMatch(/guilds per shard \(shard \d\) .*\n[_.\-=+*%#]+\|[_.\-=+*%#]+\n/);
  expect((await botctl.cli('status')).stdout).toMatch(/Capacity +1 change to make|Capacity +\d changes to make/);

  await until(async () => (await told('botctl_capacity_recommendations')) === report.recommendations.length);
  const used = await seriesOf('capacity_used_ratio', '--by', 'resource,scope');
  const share = used.find(({ labels }) => labels['resource'] === 'guilds-per-shard')?.value ?? NaN;
  expect(share).toBeCloseTo((guilds(report)?.level ?? 0) / 2_500, 1);
  const scopes = used
    .filter(({ labels }) => labels['resource'] === 'database-size')
    .map(({ labels }) => labels['scope']);
  expect(scopes.sort()).toEqual(['db:0', 'db:1']);

  // Postgres has it now: a state folder that loses it gets it back.
  first.child.kill('SIGKILL');
  await first.ended;
  const silent = await botctl.cli('capacity');
  expect(silent.code).toBe(3);
  expect(silent.stdout).toContain('The supervisor is not running: this is what it said');
  expect(silent.stdout).toContain('sharding.totalShards');
  const folder = join(botctl.stateDir, 'capacity');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  botctl.start();
  await botctl.untilReady();
  await until(async () => guilds(await reportOf())?.direction === 'rising', { everyMs: 500 });
});

/** What Prometheus is told now. */
async function told(name: string): Promise<number> {
  const { http } = (await botctl.status()).supervisor;
  const { values } = parseExposition(await (await fetch(`${http ?? ''}/metrics`)).text());
  return sumOf(values, name);
}

interface Series {
  labels: Record<string, string>;
  value: number;
}

async function seriesOf(...args: string[]): Promise<Series[]> {
  return (JSON.parse((await botctl.cli('metrics', ...args, '--json')).stdout) as { series: Series[] }).series;
}

function guilds({ resources }: CapacityReport) {
  const found = resources.find(({ resource }) => resource === 'guilds-per-shard')?.forecast;
  return found?.kind === 'trend' ? found : undefined;
}
