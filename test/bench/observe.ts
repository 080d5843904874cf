/**
 * tsx test/bench/observe.ts [agent|exposition|memory|fleet]: what watching costs. Each figure beside its peer or bound, in
 * one run. `agent` needs a build.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Table from 'cli-table3';
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { AgentMetrics } from '../../src/agent/metrics/agent-metrics';
import { Metrics } from '../../src/metrics';
import { CATALOGUE } from '../../src/metrics/catalogue';
import { Sandbox } from '../../src/sandbox';
import { HOUR, MINUTE, random, SimulatedCluster, START } from '../metrics/fleet';
import { Peer, type PeerName } from './peer';

const CLOCK_TICK_S = 1 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function table(head: string[]): Table.Table {
  return new Table({ head, style: { head: [], border: [] } });
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function memory(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** CPU seconds of a process, of all its threads. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_S;
}

/** The same bot with the agent (under botctl) and without it (under ShardingManager), 1,000 events per second. */
async function benchAgent(): Promise<void> {
  const [rate, rounds, seconds] = [1_000, 3, 10];
  const perEvent: Record<string, number[]> = { botctl: [], ShardingManager: [] };
  const peers: PeerName[] = ['botctl', 'ShardingManager'];
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? peers : [...peers].reverse()) {
      const sandbox = new Sandbox({ guilds: 200, shards: 1, maxConcurrency: 1 });
      const { apiUrl } = await sandbox.listen();
      const peer = new Peer(name, { api: apiUrl, shards: 1, shardsPerCluster: 1 });
      try {
        await peer.untilReady();
        sandbox.setRate(rate);
        await delay(4_000); // compiled and warm
        const pid = peer.processOf(0);
        const [cpu, answered] = [cpuOf(pid), sandbox.report().answered];
        await delay(seconds * 1_000);
        perEvent[name]?.push(((cpuOf(pid) - cpu) / (sandbox.report().answered - answered)) * 1e6);
      } finally {
        await peer.end();
        await sandbox.close();
      }
    }
  }
  const [withAgent, without] = [median(perEvent['botctl'] ?? []), median(perEvent['ShardingManager'] ?? [])];
  const points = ((withAgent - without) * rate) / 1e4;
  const out = table(['bot that answers every event', 'CPU per event', `CPU at ${rate} events/s`]);
  const share = (us: number): string => `${((us * rate) / 1e4).toFixed(1)} %`;
  out.push(['without agent (ShardingManager)', `${without.toFixed(0)} us`, share(without)]);
  out.push(['with the whole agent (botctl)', `${withAgent.toFixed(0)} us`, share(withAgent)]);
  out.push([
    'difference (target: at most 3 % CPU)',
    `${(withAgent - without).toFixed(0)} us, ${((withAgent / without - 1) * 100).toFixed(1)} %`,
    `${points.toFixed(1)} points`,
  ]);
  out.push(['of it counting the event, in this process', `${countingCost().toFixed(2)} us`, '']);
  console.log(`\nAgent, median of ${rounds} rounds of ${seconds} s\n${out.toString()}`);
  console.log(
    `all rounds, us per event: ${JSON.stringify(perEvent, (_, value: unknown) => (typeof value === 'number' ? Math.round(value) : value))}`,
  );
}

/** One interaction or message with its counters and maps, before the bot sees it; us. */
function countingCost(): number {
  const count = 10_000;
  const ids = Array.from({ length: count }, (_, index) => String(1_181_000_000_000_000_000n + BigInt(index)));
  const times: number[] = [];
  for (let round = 0; round < 50; round++) {
    const metrics = new AgentMetrics(() => undefined);
    const begin = performance.now();
    for (const [index, id] of ids.entries()) {
      metrics.dispatch({ t: index % 2 === 0 ? 'INTERACTION_CREATE' : 'MESSAGE_CREATE', d: { id, type: 2 } });
    }
    times.push(((performance.now() - begin) * 1_000) / count);
  }
  return median(times);
}

function fleet(clusters: number, shards: number): SimulatedCluster[] {
  const rng = random(5);
  const each = shards / clusters;
  return Array.from({ length: clusters }, (_, id) => {
    return new SimulatedCluster(
      id,
      Array.from({ length: each }, (_unused, index) => id * each + index),
      rng,
    );
  });
}

/** The same figures of 64 processes: our text against prom-client's aggregation of 64 registries. */
async function benchExposition(): Promise<void> {
  let now = START;
  const metrics = new Metrics({ version: '1', maxBytes: 400e6, now: () => now });
  const clusters = fleet(64, 512);
  const registries = clusters.map(() => new Registry());
  for (const [index, cluster] of clusters.entries()) {
    const sample = cluster.sample(now);
    metrics.take({ cluster: cluster.id, incarnation: 'a', adopted: false }, sample);
    const registry = registries[index] as Registry;
    fill(registry, cluster.id, sample);
  }
  const answers = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()));
  const ours: number[] = [];
  const theirs: number[] = [];
  let lines: [number, number] = [0, 0];
  for (let round = 0; round < 12; round++) {
    now += 2_000; // past the cache of a second
    let begin = performance.now();
    const text = await metrics.exposition.text();
    ours.push(performance.now() - begin);
    begin = performance.now();
    const peer = await AggregatorRegistry.aggregate(answers).metrics();
    theirs.push(performance.now() - begin);
    lines = [text.split('\n').length, peer.split('\n').length];
  }
  const out = table(['/metrics of 64 processes, 512 shards', 'lines', 'time']);
  out.push(['botctl', lines[0], `${median(ours).toFixed(1)} ms`]);
  out.push(['prom-client AggregatorRegistry, without its IPC', lines[1], `${median(theirs).toFixed(1)} ms`]);
  out.push(['ratio', '', (median(ours) / median(theirs)).toFixed(2)]);
  console.log(`\n${out.toString()}`);
}

/** What each process would have in prom-client: the same series, with its own cluster as a label where we have it. */
function fill(registry: Registry, cluster: number, sample: ReturnType<SimulatedCluster['sample']>): void {
  const registers = [registry];
  const made = new Map<string, Counter | Gauge | Histogram>();
  const labelsOf = (name: string): string[] => [...(CATALOGUE.find((family) => family.name === name)?.labels ?? [])];
  const of = <T extends Counter | Gauge | Histogram>(name: string, make: (labelNames: string[]) => T): T => {
    const known = made.get(name) as T | undefined;
    if (known !== undefined) return known;
    const fresh = make(labelsOf(name));
    made.set(name, fresh);
    return fresh;
  };
  const withCluster = (name: string, labels: Record<string, string> = {}): Record<string, string> =>
    labelsOf(name).includes('cluster') ? { ...labels, cluster: String(cluster) } : labels;
  const { counters, gauges, sketches } = sample.readings ?? { counters: [], gauges: [], sketches: [] };
  for (const { name, labels, value } of counters) {
    of(name, (labelNames) => new Counter({ name, help: name, labelNames, registers })).inc(
      withCluster(name, labels),
      value,
    );
  }
  for (const { name, labels, value } of gauges) {
    of(name, (labelNames) => new Gauge({ name, help: name, labelNames, registers })).set(
      withCluster(name, labels),
      value,
    );
  }
  for (const { name, labels } of sketches) {
    const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
    const labelNames = labelsOf(name).filter((label) => label !== 'cluster');
    of(name, () => new Histogram({ name, help: name, labelNames, buckets, registers })).observe(labels ?? {}, 0.1);
  }
  for (const { id, events, identifies, resumes, closes } of sample.shards) {
    const shard = { cluster: String(cluster), shard: String(id) };
    for (const [name, value] of Object.entries({
      shard_events_total: events,
      shard_identifies_total: identifies,
      shard_resumes_total: resumes,
      shard_disconnects_total: closes,
    })) {
      of(name, (labelNames) => new Counter({ name, help: name, labelNames, registers })).inc(shard, value);
    }
  }
}

/** 24 hours of a gauge that always changes, and of a latency, against arrays of plain objects. */
function benchMemory(): void {
  const series = 500;
  const minutes = 24 * 60;
  const rng = random(9);
  const out = table(['24 h of one series, a point per minute', 'plain arrays', 'store', 'ratio']);
  const compare = (title: string, plain: () => unknown, store: () => unknown): void => {
    const measure = (make: () => unknown): number => {
      const before = memory();
      const kept = make();
      const bytes = (memory() - before) / series;
      if (kept === null) throw new Error('not kept');
      return bytes;
    };
    const [theirs, ours] = [measure(plain), measure(store)];
    const kb = (bytes: number): string => `${(bytes / 1024).toFixed(1)} kB`;
    out.push([title, kb(theirs), kb(ours), (ours / theirs).toFixed(3)]);
  };
  // Only the fields that the store keeps too.
  const points = (value: () => object) => (): object[][] =>
    Array.from({ length: series }, () =>
      Array.from({ length: minutes }, (_, minute) => ({ at: START + minute * MINUTE, ...value() })),
    );
  const gauges = points(() => ({ mean: rng(), min: rng(), max: rng() }));
  const counters = points(() => ({ increase: rng() * 1_000 }));
  const filled = (feed: (metrics: Metrics, index: number) => void): Metrics => {
    let now = START;
    const metrics = new Metrics({ version: '1', maxBytes: 1e9, now: () => now });
    for (let minute = 0; minute < minutes; minute++) {
      now = START + minute * MINUTE;
      for (let index = 0; index < series; index++) feed(metrics, index);
      metrics.tick();
    }
    return metrics;
  };
  compare('gauge that always changes', gauges, () =>
    filled((metrics, index) =>
      metrics.set([{ name: 'shard_ping_seconds', labels: { cluster: '0', shard: String(index) }, value: rng() }]),
    ),
  );
  compare('gauge that seldom changes', gauges, () =>
    filled((metrics, index) =>
      metrics.set([{ name: 'shard_guilds', labels: { cluster: '0', shard: String(index) }, value: 1_000 }]),
    ),
  );
  compare('counter', counters, () =>
    filled((metrics, index) =>
      metrics.count('shard_events_total', { cluster: '0', shard: String(index) }, Math.floor(rng() * 1_000)),
    ),
  );
  console.log(`\n${out.toString()}`);
}

/** 2,000 shards in 250 clusters: two days, so that the second one shows whether the memory is flat. */
async function benchFleet(): Promise<void> {
  let now = START;
  const before = memory();
  const metrics = new Metrics({ version: '1', maxBytes: 200 * 1024 * 1024, now: () => now });
  const clusters = fleet(250, 2_000);
  const out = table(['2,000 shards in 250 clusters', 'figure', 'target']);
  const account: number[] = [];
  for (let minute = 0; minute < 49 * 60; minute++) {
    now = START + minute * MINUTE;
    for (const cluster of clusters) {
      metrics.take({ cluster: cluster.id, incarnation: 'a', adopted: false }, cluster.sample(now));
    }
    metrics.set(shardFacts());
    metrics.tick();
    if (minute % 60 === 59) account.push(metrics.bytes);
  }
  const whole = memory() - before;
  const times: number[] = [];
  const first = now;
  for (; now < first + 5 * MINUTE; now += 5_000) {
    for (const cluster of clusters) {
      const sample = cluster.sample(now);
      const begin = performance.now();
      metrics.take({ cluster: cluster.id, incarnation: 'a', adopted: false }, sample);
      times.push(performance.now() - begin);
    }
    metrics.set(shardFacts());
    metrics.tick();
  }
  times.sort((a, b) => a - b);
  const at = (q: number): string => `${(times[Math.floor(times.length * q)] ?? NaN).toFixed(3)} ms`;
  const scrapes: number[] = [];
  let text = '';
  for (let round = 0; round < 7; round++) {
    now += 1_100;
    metrics.set(shardFacts());
    const begin = performance.now();
    text = await metrics.exposition.text();
    scrapes.push(performance.now() - begin);
  }
  const begin = performance.now();
  metrics.queries.range({
    name: 'shard_ping_seconds',
    stat: 'p99',
    by: [],
    from: now - 24 * HOUR,
    to: now,
    stepMs: 5 * MINUTE,
  });
  const query = performance.now() - begin;
  const mb = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MB`;
  const second = account.slice(26);
  out.push(["memory by the store's account, after 24 h", mb(account[24] ?? NaN), '<= 200 MB']);
  out.push(['memory by the heap, after 49 h (with the simulation)', mb(whole), '']);
  out.push([
    'growth in the second day',
    `${(((second.at(-1) ?? NaN) / (second[0] ?? NaN) - 1) * 100).toFixed(1)} %`,
    '0 %',
  ]);
  out.push([
    'hours kept',
    String((metrics.queries.latest('metrics_retention_seconds')[0]?.value ?? NaN) / 3_600),
    '>= 24',
  ]);
  out.push(['sample taken in, p50 / p99', `${at(0.5)} / ${at(0.99)}`, '<= 1 ms p99']);
  out.push(['/metrics', `${median(scrapes).toFixed(0)} ms, ${text.split('\n').length} lines`, '<= 1 s']);
  out.push(['p99 ping of all shards over 24 h by 5 min', `${query.toFixed(0)} ms`, '']);
  console.log(`\n${out.toString()}`);

  function shardFacts(): Parameters<Metrics['set']>[0] {
    return clusters.flatMap((cluster) => cluster.facts());
  }
}

async function main(): Promise<void> {
  const [only] = process.argv.slice(2);
  console.log(`Node ${process.version}, ${cpus().length} CPUs: ${cpus()[0]?.model ?? 'unknown'}`);
  const wanted = (name: string): boolean => only === undefined || only === name;
  if (wanted('exposition')) await benchExposition();
  if (wanted('memory')) benchMemory();
  if (wanted('fleet')) await benchFleet();
  if (wanted('agent')) await benchAgent();
}

if (require.main === module) void main();
