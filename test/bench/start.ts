/**
 * npm run bench:start [part ...]: start-up, memory, broadcasts, `status` and recovery, each as a ratio against discord.js's
 * ShardingManager and discord-hybrid-sharding, or a physical floor, in the same run. Parts: start memory broadcast
 * status recovery.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Table from 'cli-table3';
import { Sandbox } from '../../src/sandbox';
import { until } from '../support/until';
import { Peer, PEERS, type PeerName, type PeerOptions } from './peer';

const SHARDS = 16;
const INTERVAL_S = 5;
/** V8 gives memory back some time after the last burst of work; the peers start their processes over a longer time, ms. */
const SETTLE_MS = 60_000;
const ROOT = resolve(__dirname, '../..');

/** BENCH_PEERS=botctl: only that one, while working on it. */
const CHOSEN = PEERS.filter((name) => (process.env['BENCH_PEERS'] ?? PEERS.join()).split(',').includes(name));

type Cell = string | number;

function print(title: string, head: string[], rows: Cell[][]): void {
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  console.log(`\n${title}\n${table.toString()}`);
}

const s = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

async function withPeer<T>(
  name: PeerName,
  sandbox: ConstructorParameters<typeof Sandbox>[0],
  options: Omit<PeerOptions, 'api'>,
  run: (peer: Peer, sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  const discord = new Sandbox({ shards: options.shards, ...sandbox });
  const { apiUrl } = await discord.listen();
  const peer = new Peer(name, { ...options, api: apiUrl });
  try {
    return await run(peer, discord);
  } finally {
    await peer.end();
    await discord.close();
  }
}

async function start(): Promise<void> {
  const rows: Cell[][] = [];
  for (const maxConcurrency of [1, 4, 16]) {
    const floor = (Math.ceil(SHARDS / maxConcurrency) - 1) * INTERVAL_S * 1_000;
    for (const name of CHOSEN) {
      const shardsPerCluster = name === 'ShardingManager' ? 1 : 4;
      const { ms, violations } = await withPeer(
        name,
        { guilds: 1_000, maxConcurrency },
        { shards: SHARDS, shardsPerCluster },
        async (peer, sandbox) => ({ ms: await peer.untilReady(), violations: sandbox.report().violations.length }),
      );
      rows.push([maxConcurrency, name, s(ms), s(floor), s(ms - floor), violations]);
    }
  }
  print(
    `Launch until ${SHARDS} shards are ready, 1,000 guilds`,
    ['max_concurrency', 'manager', 'time', 'floor', 'above floor', 'identify violations'],
    rows,
  );
}

async function memory(): Promise<void> {
  const rows: Cell[][] = [];
  for (const shardsPerCluster of [1, 4, 8]) {
    for (const name of CHOSEN) {
      if (name === 'ShardingManager' && shardsPerCluster !== 1) continue;
      const options = { shards: SHARDS, shardsPerCluster };
      const used = await withPeer(name, { guilds: 1_000, maxConcurrency: 16 }, options, async (peer) => {
        await peer.untilReady();
        await delay(SETTLE_MS);
        return peer.memory();
      });
      rows.push([
        shardsPerCluster,
        name,
        used.manager.toFixed(0),
        used.children.toFixed(0),
        (used.manager + used.children).toFixed(0),
      ]);
    }
  }
  print(
    `Memory (PSS, MB), ${SHARDS} shards, 1,000 guilds`,
    ['shards per cluster', 'manager', 'manager itself', 'clusters', 'sum'],
    rows,
  );
}

async function broadcast(): Promise<void> {
  const rows: Cell[][] = [];
  for (const name of CHOSEN) {
    const shardsPerCluster = name === 'ShardingManager' ? 1 : 4;
    const options = { shards: SHARDS, shardsPerCluster, task: 'broadcast' as const };
    await withPeer(name, { guilds: 160, maxConcurrency: 16 }, options, async (peer) => {
      const { p50 = 0, p99 = 0 } = await peer.untilNote('broadcast', 200_000);
      const { ms = 0, how = '' } = await peer.untilNote('broadcast-hung', 60_000);
      rows.push([name, `${p50.toFixed(2)} ms`, `${p99.toFixed(2)} ms`, `${s(ms)}: ${how}`]);
    });
  }
  print(`broadcastEval over ${SHARDS} shards, 2,000 calls`, ['manager', 'p50', 'p99', 'with one hung cluster'], rows);
}

/** ms of a whole process, sorted. */
function timeProcess(args: string[], runs: number, cwd: string): number[] {
  return Array.from({ length: runs }, () => {
    const begin = performance.now();
    spawnSync(process.execPath, args, { stdio: 'ignore', cwd });
    return performance.now() - begin;
  }).sort((a, b) => a - b);
}

async function status(): Promise<void> {
  await withPeer(
    'botctl',
    { guilds: 160, maxConcurrency: 16 },
    { shards: SHARDS, shardsPerCluster: 4 },
    async (peer) => {
      await peer.untilReady();
      const runs = 31;
      const empty = mkdtempSync(join(tmpdir(), 'botctl-bench-empty-'));
      const script = join(empty, 'empty.js');
      writeFileSync(script, '0');
      const config = join(peer.dir, 'botctl.yaml');
      const bin = join(ROOT, 'dist/bin/botctl.js');
      const floor = timeProcess([script], runs, empty);
      const ours = timeProcess([bin, 'status', '--config', config], runs, peer.dir);
      const json = timeProcess([bin, 'status', '--json', '--config', config], runs, peer.dir);
      rmSync(empty, { recursive: true, force: true });
      const median = (times: number[]): number => times[Math.floor(times.length / 2)] ?? 0;
      const row = (name: string, times: number[]): Cell[] => [
        name,
        `${median(times).toFixed(0)} ms`,
        `${(median(times) - median(floor)).toFixed(0)} ms`,
      ];
      print(
        `\`botctl status\` as a whole process, median of ${runs}`,
        ['command', 'time', 'above node'],
        [row('node empty.js', floor), row('botctl status', ours), row('botctl status --json', json)],
      );
    },
  );
}

async function recovery(): Promise<void> {
  const rows: Cell[][] = [];
  for (const how of ['kill -9', 'endless loop'] as const) {
    for (const name of CHOSEN) {
      const shardsPerCluster = name === 'ShardingManager' ? 1 : 4;
      const options = { shards: SHARDS, shardsPerCluster, hang: how === 'endless loop' };
      const row = await withPeer(name, { guilds: 160, maxConcurrency: 16 }, options, async (peer, sandbox) => {
        await peer.untilReady();
        const old = peer.processOf(0);
        sandbox.setRate(200);
        // Until the identify interval of every bucket has passed: its wait is Discord's, not the manager's.
        await delay(2 * INTERVAL_S * 1_000);
        let at = Date.now();
        if (how === 'kill -9') process.kill(old, 'SIGKILL');
        else {
          writeFileSync(`${peer.file}.hang`, '');
          at = (await peer.untilNote('hung')).at;
        }
        const back = (): number | undefined =>
          peer.notes().find((note) => note.event === 'ready' && note.at > at && note.shards?.includes(0) === true)?.at;
        const limit = 150_000;
        const returned = await until(() => back() !== undefined, { timeoutMs: limit }).then(
          () => true,
          () => false,
        );
        sandbox.setRate(0);
        await delay(6_000); // the sandbox calls an event lost when it is 5 s old
        // What the old sessions still hold will never be resumed by the new process.
        const { lost, missed, outstanding, doubled } = sandbox.report();
        const time = returned ? s((back() ?? 0) - at) : `not within ${limit / 1_000} s`;
        return [how, name, time, lost + missed + outstanding, doubled];
      });
      rows.push(row);
    }
  }
  print(
    'Recovery of one cluster under 200 events/s',
    ['failure', 'manager', 'until it serves again', 'events lost', 'doubled'],
    rows,
  );
}

const PARTS = { start, memory, broadcast, status, recovery };

async function main(): Promise<void> {
  const asked = process.argv.slice(2) as (keyof typeof PARTS)[];
  console.log(`Node ${process.version}, ${cpus().length} CPUs: ${cpus()[0]?.model ?? 'unknown'}`);
  for (const name of asked.length > 0 ? asked : (Object.keys(PARTS) as (keyof typeof PARTS)[])) await PARTS[name]();
}

void main();
