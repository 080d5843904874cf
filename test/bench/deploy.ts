/**
 * npm run bench:deploy [rate]: a new version under load (200 events/s unless told otherwise), 16 shards, 1,000 guilds:
 * botctl's rolling deploy without waits for stability, against ShardingManager.respawnAll and the two modes of
 * discord-hybrid-sharding's re-cluster.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Table from 'cli-table3';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Peer, type PeerName } from './peer';

const SHARDS = 16;
const GUILDS = 1_000;
const INTERVAL_S = 5;
const LIMIT_MS = 300_000;
/** The sandbox calls an event lost when it is 5 s old. */
const LOST_AFTER_MS = 6_000;
const QUIET_MS = 10_000;
/** Cold processes are behind at first; it is quiet once the p99 of a second is below this, ms, or at the latest. */
const CALM_MS = 100;
const COLD_MS = 60_000;
/** What new processes are still slow with counts as part of the deploy, ms. */
const SETTLE_MS = 3_000;

const CASES: { title: string; name: PeerName; mode?: 'gracefulSwitch' | 'rolling' }[] = [
  { title: 'botctl deploy --rolling', name: 'botctl' },
  { title: 'ShardingManager.respawnAll', name: 'ShardingManager' },
  { title: 'hybrid-sharding, gracefulSwitch', name: 'hybrid-sharding', mode: 'gracefulSwitch' },
  { title: 'hybrid-sharding, rolling', name: 'hybrid-sharding', mode: 'rolling' },
];

interface Counts {
  gone: number;
  doubled: number;
  identifies: number;
  violations: number;
}

function p99Of(sandbox: Sandbox): number {
  return Math.round(sandbox.report().latencyMs?.p99 ?? 0);
}

async function untilCalm(sandbox: Sandbox): Promise<void> {
  const end = Date.now() + COLD_MS;
  do {
    sandbox.forgetLatencies();
    await delay(1_000);
  } while (p99Of(sandbox) > CALM_MS && Date.now() < end);
  sandbox.forgetLatencies();
}

/** The greatest memory of a peer and all that it has started, MB. */
class MemoryWatch {
  readonly #child: ChildProcess;

  constructor(text: string) {
    this.#child = fork(join(__dirname, 'memory-watch.cjs'), [text], { execArgv: [] });
  }

  /** Since it was last asked. */
  async peak(): Promise<number> {
    this.#child.send('peak');
    const [peak] = (await once(this.#child, 'message')) as [number];
    return Math.round(peak);
  }

  end(): void {
    this.#child.kill();
  }
}

/** What old sessions still hold will never be resumed by a process that has identified anew. */
function counts(sandbox: Sandbox): Counts {
  const { lost, missed, outstanding, doubled, identifies, violations } = sandbox.report();
  return { gone: lost + missed + outstanding, doubled, identifies, violations: violations.length };
}

function longest(times: readonly (number | null)[]): string {
  if (times.length === 0) return '-';
  return times.includes(null) ? 'not known' : `${Math.round(Math.max(...times.map((ms) => ms ?? 0)))} ms`;
}

async function measure({ title, name, mode }: (typeof CASES)[number], rate: number): Promise<(string | number)[]> {
  const sandbox = new Sandbox({ guilds: GUILDS, shards: SHARDS, maxConcurrency: 16 });
  const { apiUrl } = await sandbox.listen();
  const shardsPerCluster = name === 'ShardingManager' ? 1 : 4;
  const peer = new Peer(name, {
    api: apiUrl,
    shards: SHARDS,
    shardsPerCluster,
    deploys: true,
    ...(mode !== undefined && { mode }),
  });
  const memory = new MemoryWatch(peer.file);
  try {
    await peer.untilReady();
    await delay(INTERVAL_S * 1_000);
    sandbox.setRate(rate);
    await delay(LOST_AFTER_MS);
    await untilCalm(sandbox);
    await memory.peak();
    await delay(QUIET_MS);
    const old = new Set(peer.notes().map(({ pid }) => pid));
    const before = counts(sandbox);
    const quiet = { memory: await memory.peak(), p99: p99Of(sandbox) };
    sandbox.forgetLatencies();
    const begin = Date.now();
    await peer.deploy();
    const fresh = (): number[] =>
      peer
        .notes()
        .filter(({ event, pid }) => event === 'ready' && !old.has(pid))
        .flatMap(({ shards }) => shards ?? []);
    const done = await until(() => new Set(fresh()).size === SHARDS, { timeoutMs: LIMIT_MS }).then(
      () => true,
      () => false,
    );
    const took = Date.now() - begin;
    await delay(SETTLE_MS);
    const during = { memory: await memory.peak(), p99: p99Of(sandbox) };
    sandbox.setRate(0);
    await delay(LOST_AFTER_MS);
    const after = counts(sandbox);
    const gaps = await peer.gaps();
    return [
      title,
      done ? `${(took / 1_000).toFixed(1)} s` : `not within ${LIMIT_MS / 1_000} s`,
      after.gone,
      after.doubled - before.doubled,
      after.identifies - before.identifies,
      after.violations,
      longest(gaps.map(({ gapMs }) => gapMs)),
      longest(gaps.map(({ caughtUpMs }) => caughtUpMs)),
      `${during.p99} ms (quiet ${quiet.p99})`,
      `${during.memory} (quiet ${quiet.memory})`,
    ];
  } finally {
    memory.end();
    await peer.end();
    await sandbox.close();
  }
}

async function main(): Promise<void> {
  const rate = Number(process.argv[2] ?? 200);
  const chosen = process.env['BENCH_PEERS']?.split(',');
  console.log(`Node ${process.version}, ${cpus().length} CPUs: ${cpus()[0]?.model ?? 'unknown'}`);
  const head = [
    'manager',
    'duration',
    'events lost',
    'doubled',
    'identifies',
    'violations',
    'gap',
    'caught up',
    'p99',
    'memory, MB',
  ];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const one of CASES) {
    if (chosen === undefined || chosen.includes(one.name)) table.push(await measure(one, rate));
  }
  console.log(`\nA new version under ${rate} events/s, ${SHARDS} shards, ${GUILDS} guilds\n${table.toString()}`);
}

void main();
