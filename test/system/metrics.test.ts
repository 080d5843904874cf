import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { formatValue } from '../../src/cli/render/metrics';
import type { MetricRange } from '../../src/control/contract';
import { CATALOGUE } from '../../src/metrics/catalogue';
import { Sandbox } from '../../src/sandbox';
import { isCumulative, parseExposition, sumOf } from '../support/exposition';
import { has } from '../setup/prometheus';
import { itWithPrometheus, itWithPromtool, promtool } from '../support/prometheus';
import { until } from '../support/until';
import { Botctl } from './support/botctl';
import { settled } from './support/settled';

const SHARDS = 6;
const KILLS = 20;
const KILLED_AT_ONCE = 2;
const FAST_RESTART = { backoffMin: '10ms', backoffMax: '50ms', maxRestarts: 1_000 };

describe('metrics of a bot whose clusters die', () => {
  let sandbox: Sandbox;
  let botctl: Botctl;
  let url: string;
  let prometheus: Prometheus | null = null;
  let watch: Watch;

  beforeAll(async () => {
    sandbox = new Sandbox({
      guilds: 80,
      shards: SHARDS,
      maxConcurrency: 16,
      identifyIntervalMs: 50,
      heartbeatIntervalMs: 1_000,
    });
    const { apiUrl } = await sandbox.listen();
    botctl = new Botctl({
      bot: 'measured.cjs',
      api: apiUrl,
      config: {
        sharding: { shardsPerCluster: 2, restart: FAST_RESTART },
        identify: { interval: '50ms' },
        http: { enabled: true, port: 0 },
        metrics: { interval: '200ms' },
        rest: { globalPerSecond: 10_000 }, // nothing is to wait for its turn here
      },
    });
    botctl.start();
    const { supervisor } = await botctl.untilReady();
    url = supervisor.http ?? '';
    watch = new Watch(url);
    if (has('prometheus')) prometheus = await Prometheus.start(new URL(url).host);
  });
  afterAll(async () => {
    watch.stop();
    await prometheus?.stop();
    await botctl.dispose();
    await sandbox.close();
  });

  const handled = (): number => {
    return sumOf(watch.values, 'botctl_interactions_total') + sumOf(watch.values, 'botctl_messages_total');
  };
  /** Interactions with a response. Discord takes one for 3 s: what a slow machine needs longer for has failed. */
  const interactions = (): number => {
    const { values } = watch;
    const late = sumOf(values, 'botctl_interaction_failures_total', 'reason="unanswered"');
    return sumOf(values, 'botctl_interaction_response_seconds_count') + late;
  };
  const responded = (): number => interactions() + sumOf(watch.values, 'botctl_message_response_seconds_count');
  /** Sends some events and waits until they are answered, and told to Prometheus. */
  async function work(): Promise<void> {
    const before = sandbox.report().sent;
    sandbox.setRate(400);
    await until(() => sandbox.report().sent >= before + 40);
    sandbox.setRate(0);
    await settled(sandbox);
    const { sent } = sandbox.report();
    // An answer may be told one sample later than its event.
    await until(() => Math.min(handled(), responded()) >= sent, {
      what: () => `of ${sent} events ${handled()} are counted, and ${responded()} answers`,
    });
  }

  it('equal what was sent, and never go back, through 20 killed clusters', async () => {
    await work();
    for (let kills = 0; kills < KILLS; kills += KILLED_AT_ONCE) {
      const { clusters } = await botctl.untilReady();
      const chosen = clusters.sort(() => Math.random() - 0.5).slice(0, KILLED_AT_ONCE);
      for (const { pid } of chosen) process.kill(pid ?? 0, 'SIGKILL');
      await botctl.untilStatus(({ verdict, clusters: now }) => {
        return verdict === 'well' && chosen.every(({ id, pid }) => now[id]?.pid !== pid);
      });
      await work();
      expect(handled()).toBe(sandbox.report().sent);
    }
    expect(sandbox.report()).toMatchObject({ lost: 0, doubled: 0, missed: 0 });
    expect(sumOf(watch.values, 'botctl_cluster_restarts_total')).toBe(KILLS);
    expect(watch.wentBack).toEqual([]);
  });

  it('lose nothing in a rolling restart under load', async () => {
    sandbox.setRate(100);
    expect((await botctl.cli('restart')).code).toBe(0);
    await work();
    const { sent, lost, doubled } = sandbox.report();
    expect({ lost, doubled, handled: handled() }).toEqual({ lost: 0, doubled: 0, handled: sent });
    expect(watch.wentBack).toEqual([]);
    expect(watch.scrapes).toBeGreaterThan(20);
  });

  it('agree with each other and with the sandbox', async () => {
    await until(() => sumOf(watch.values, 'botctl_shard_guilds') === 80);
    const { values } = watch;
    const byType = sumOf(values, 'botctl_events_total');
    expect(byType).toBeGreaterThan(sandbox.report().sent);
    expect(sumOf(values, 'botctl_shard_events_total')).toBe(byType);
    expect(interactions()).toBe(sumOf(values, 'botctl_interactions_total'));
    expect(sumOf(values, 'botctl_message_response_seconds_count')).toBe(sumOf(values, 'botctl_messages_total'));
    for (const reason of ['refused', 'lost']) {
      expect([reason, sumOf(values, 'botctl_interaction_failures_total', `reason="${reason}"`)]).toEqual([reason, 0]);
    }
    expect(
      sumOf(values, 'botctl_rest_requests_total', 'route="POST /interactions/:id/:token/callback",status="204"'),
    ).toBe(sumOf(values, 'botctl_interactions_total'));
    expect(sumOf(values, 'botctl_cluster_rest_requests_total')).toBe(sumOf(values, 'botctl_rest_requests_total'));
    expect(sumOf(values, 'botctl_shard_ready')).toBe(SHARDS);
    expect(sumOf(values, 'botctl_shard_identifies_total')).toBe(sandbox.report().identifies);
    // What the bot adds.
    expect(sumOf(values, 'bot_pings_total')).toBe(sumOf(values, 'botctl_interactions_total'));
    expect(sumOf(values, 'bot_ping_seconds_count')).toBe(sumOf(values, 'botctl_interactions_total'));
    expect([...values.keys()].filter((series) => series.startsWith('bot_mood'))).toHaveLength(SHARDS / 2);
  });

  it('tell everything that is known of a bot without databases', () => {
    const told = new Set([...watch.types.keys()].map((name) => name.replace(/^botctl_/, '')));
    const needsDatabases = /^(pool|cache|deferred|postgres|redis|maintenance|backup|circuit)s?(_|$)/;
    // Labelled by what has happened, or known after days: a route that fails, a target, a forecast.
    const needsMore =
      /^(rest_rate_limit_waits|rest_circuit_|incident_notifications|recovery_actions|capacity_full_timestamp)/;
    const missing = CATALOGUE.filter(({ name }) => {
      return !needsDatabases.test(name) && !needsMore.test(name) && !told.has(name);
    });
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  itWithPromtool('are what promtool expects', async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(promtool(['check', 'metrics'], text)).toEqual({ ok: true, output: '' });
  });

  itWithPrometheus('have no reset in the eyes of a real Prometheus, and the same sums', async () => {
    const real = prometheus!;
    const { sent } = sandbox.report();
    const sum = 'sum(botctl_interactions_total) + sum(botctl_messages_total)';
    await until(async () => (await real.query(sum)) === sent);
    const names = await real.names(/_(total|bucket|count)$/);
    expect(names.length).toBeGreaterThan(30);
    for (const name of names) expect([name, await real.query(`max(resets(${name}[30m]))`)]).toEqual([name, 0]);
    expect(await real.query('max(scrape_samples_scraped)')).toBeGreaterThan(200);
  });

  it('can be asked for by botctl metrics', async () => {
    const list = await botctl.cli('metrics');
    expect([list.code, /interactions_total +counter +\d+ +kind, cluster/.test(list.stdout)]).toEqual([0, true]);
    const p99 = ['metrics', 'interaction_response_seconds', '--by', 'cluster', '--stat', 'p99'];
    const found = JSON.parse((await botctl.cli(...p99, '--json')).stdout) as MetricRange;
    const value = found.series.find(({ labels }) => labels['cluster'] === '2')?.value ?? NaN;
    expect(value).toBeGreaterThan(0);
    const printed = (await botctl.cli(...p99)).stdout.replace(/ +/g, ' ');
    expect(printed).toContain(`cluster 2 ${formatValue(value, 'seconds', 'p99')} `);
    const json = await botctl.cli('metrics', 'interactions_total', '--stat', 'increase', '--json');
    const { series } = JSON.parse(json.stdout) as { series: { value: number }[] };
    expect(series.map(({ value }) => value)).toEqual([sumOf(watch.values, 'botctl_interactions_total')]);
    const wrong = await botctl.cli('metrics', 'interaction_total');
    expect([wrong.code, wrong.stdout]).toEqual([1, '']);
    expect(wrong.stderr).toContain('did you mean interactions_total?');
    expect((await botctl.cli('metrics', 'interactions_total', '--since', 'soon')).stderr).toContain('since: expected');
  });
});

/** Scrapes all the time, and notes every counter that goes back. */
class Watch {
  values: ReadonlyMap<string, number> = new Map();
  types: ReadonlyMap<string, string> = new Map();
  scrapes = 0;
  readonly wentBack: string[] = [];
  #running = true;

  constructor(private readonly url: string) {
    void this.#run();
  }

  stop(): void {
    this.#running = false;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const { values, types } = parseExposition(await (await fetch(`${this.url}/metrics`)).text());
      for (const [series, before] of this.values) {
        if (!isCumulative(series, types)) continue;
        const now = values.get(series);
        if (now === undefined || now < before) this.wentBack.push(`${series}: ${before}, then ${now ?? 'gone'}`);
      }
      this.values = values;
      this.types = types;
      this.scrapes++;
      await delay(100);
    }
  }
}

/** A real Prometheus that scrapes one address. */
class Prometheus {
  private constructor(
    private readonly child: ChildProcess,
    private readonly dir: string,
    private readonly url: string,
  ) {}

  static async start(target: string): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), 'botctl-prometheus-'));
    writeFileSync(
      join(dir, 'prometheus.yaml'),
      stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [{ job_name: 'botctl', static_configs: [{ targets: [target] }] }],
      }),
    );
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      'prometheus',
      [`--config.file=${dir}/prometheus.yaml`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=${address}`],
      { stdio: 'ignore', cwd: dir },
    );
    const prometheus = new Prometheus(child, dir, `http://${address}`);
    await until(() =>
      fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return prometheus;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The value of an expression that has one. */
  async query(expression: string): Promise<number> {
    const answer = await this.#get(`query?query=${encodeURIComponent(expression)}`);
    return Number((answer as { result: { value: [number, string] }[] }).result[0]?.value[1]);
  }

  async names(pattern: RegExp): Promise<string[]> {
    return ((await this.#get('label/__name__/values')) as string[]).filter((name) => pattern.test(name));
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}`);
    return ((await response.json()) as { data: unknown }).data;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
