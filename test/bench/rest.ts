/**
 * npm run bench:rest [part ...]: what the REST guard costs and what it saves, each beside calls that go to the sandbox
 * directly, in the same run. Parts: latency limits memory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Table from 'cli-table3';
import { Agent, type Dispatcher } from 'undici';
import { DISCORD_LIMITS, SandboxClient, type RestLimitOptions } from '../../src/sandbox';
import { GuardProcess } from '../rest-guard/support/guard-process';
import { until } from '../support/until';

const SECONDS = 10;
const WARM_SECONDS = 5;
const TURNS = 8;
const TURN_SECONDS = 2;
const CLUSTERS = 8;
const WAITING = 10_000;

type Cell = string | number;

function print(title: string, head: string[], rows: Cell[][]): void {
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  console.log(`\n${title}\n${table.toString()}`);
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;

interface Target {
  origin: string;
  dispatcher: Dispatcher;
}

function send(target: Target, n: number, cluster: number): Promise<number> {
  const { origin, dispatcher } = target;
  return dispatcher
    .request({
      origin,
      path: `/api/v10/channels/10000000000000${String(n % 5_000).padStart(4, '0')}/messages`,
      method: 'POST',
      headers: { authorization: 'Bot token', 'content-type': 'application/json', 'x-botctl-cluster': String(cluster) },
      body: '{"content":"hello"}',
    })
    .then(async ({ statusCode, body }) => {
      await body.dump();
      return statusCode;
    })
    .catch(async (error: unknown) => {
      // As the agent does when the guard has more to accept than the kernel holds.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await delay(10);
      return send(target, n, cluster);
    });
}

/** Sends at an even rate; the latencies in ms, sorted, and the statuses. */
async function load(
  target: Target,
  perSecond: number,
  seconds: number,
): Promise<{ times: number[]; by: Map<number, number> }> {
  const times: number[] = [];
  const by = new Map<number, number>();
  const calls: Promise<void>[] = [];
  const begin = performance.now();
  for (let n = 0; n < perSecond * seconds;) {
    for (const due = ((performance.now() - begin) / 1_000) * perSecond; n < due && n < perSecond * seconds; n++) {
      const at = performance.now();
      const call = send(target, n, n % CLUSTERS).then((status) => {
        times.push(performance.now() - at);
        by.set(status, (by.get(status) ?? 0) + 1);
      });
      calls.push(call);
    }
    await delay(1);
  }
  await Promise.all(calls);
  return { times: times.sort((a, b) => a - b), by };
}

const at = (sorted: number[], share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;

/** In a process of its own: what it takes of a core must not show in the latencies. */
async function startSandbox(restLimits: RestLimitOptions | null): Promise<{ apiUrl: string; end: () => void }> {
  const child = spawn(process.execPath, [resolve(__dirname, '../../dist/src/sandbox/main.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], BOTCTL_SANDBOX_OPTIONS: JSON.stringify({ guilds: 10, restLimits }) },
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { apiUrl } = JSON.parse(line.toString()) as { apiUrl: string };
  return { apiUrl, end: () => void child.kill('SIGKILL') };
}

async function withBoth(
  limits: RestLimitOptions | null,
  globalPerSecond: number,
  run: (name: string, target: Target, sandbox: SandboxClient) => Promise<void>,
): Promise<void> {
  for (const name of ['direct', 'guard']) {
    const { apiUrl, end } = await startSandbox(limits);
    const guard = await GuardProcess.start({ api: apiUrl, globalPerSecond });
    const direct = new Agent();
    try {
      await delay(1_500);
      const target =
        name === 'guard'
          ? { origin: 'http://rest-guard', dispatcher: guard.agent }
          : { origin: new URL(apiUrl).origin, dispatcher: direct };
      await run(name, target, new SandboxClient(apiUrl));
    } finally {
      await direct.destroy();
      await guard.end();
      end();
    }
  }
}

/** Both ways in turns, so that whatever else the machine does falls on both. */
async function latency(): Promise<void> {
  const rows: Cell[][] = [];
  const free = { ...DISCORD_LIMITS, perRoute: { limit: 1_000, windowMs: 1_000 } };
  for (const [perSecond, limits, allowed] of [
    [45, free, 50],
    [2_000, null, 100_000],
  ] as const) {
    const { apiUrl, end } = await startSandbox(limits);
    const guard = await GuardProcess.start({ api: apiUrl, globalPerSecond: allowed });
    const direct = new Agent();
    const ways: [string, Target, number[]][] = [
      ['direct', { origin: new URL(apiUrl).origin, dispatcher: direct }, []],
      ['guard', { origin: 'http://rest-guard', dispatcher: guard.agent }, []],
    ];
    await delay(1_500);
    for (const [, target] of ways) await load(target, perSecond, WARM_SECONDS);
    for (let turn = 0; turn < TURNS; turn++) {
      for (const [, target, times] of ways) times.push(...(await load(target, perSecond, TURN_SECONDS)).times);
    }
    await direct.destroy();
    await guard.end();
    end();
    const [before = [], after = []] = ways.map(([, , times]) => times.sort((x, y) => x - y));
    const added = (share: number): string => ms(at(after, share) - at(before, share));
    rows.push([perSecond, 'direct', ms(at(before, 0.5)), ms(at(before, 0.99)), '', '']);
    rows.push([perSecond, 'guard', ms(at(after, 0.5)), ms(at(after, 0.99)), added(0.5), added(0.99)]);
  }
  print('Latency of a call', ['calls/s', 'way', 'p50', 'p99', 'added p50', 'added p99'], rows);
}

/** Each cluster keeps to 50 per second by itself, as @discordjs/rest does. */
async function limits(): Promise<void> {
  const rows: Cell[][] = [];
  const strict = { ...DISCORD_LIMITS, perRoute: { limit: 1_000, windowMs: 1_000 } };
  await withBoth(strict, 50, async (name, target, sandbox) => {
    let stop = false;
    const calls = Array.from({ length: CLUSTERS * 50 }, async (_, n) => {
      while (!stop) {
        const begin = performance.now();
        await send(target, n, n % CLUSTERS).catch(() => 0);
        await delay(Math.max(0, 1_000 - (performance.now() - begin)));
      }
    });
    await delay(2_000);
    await sandbox.resetCounters();
    await delay(SECONDS * 1_000);
    const { restRequests, restLimits } = await sandbox.report();
    stop = true;
    await target.dispatcher.destroy();
    await Promise.allSettled(calls);
    const refused = restLimits?.global429 ?? 0;
    rows.push([name, ((restRequests - refused) / SECONDS).toFixed(1), refused, (refused * 600) / SECONDS]);
  });
  const head = ['way', 'served/s', 'global 429s', 'invalid per 10 min'];
  print(`${CLUSTERS} clusters that send 400 calls/s in all; Discord allows 50`, head, rows);
}

async function memory(): Promise<void> {
  const { apiUrl, end } = await startSandbox(null);
  const guard = await GuardProcess.start({ api: apiUrl, globalPerSecond: 1, maxQueue: WAITING + 10 });
  const rss = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${guard.pid}/status`, 'utf8'))?.[1]) / 1_024;
  const before = rss();
  const target = { origin: 'http://rest-guard', dispatcher: guard.agent };
  const calls = Array.from({ length: WAITING }, (_, n) => send(target, n, n % CLUSTERS).catch(() => 0));
  await until(async () => (await guard.report()).snapshot.gauges.queued >= WAITING - 10, { timeoutMs: 60_000 });
  const after = rss();
  await guard.end();
  await Promise.all(calls);
  end();
  const head = ['waiting', 'memory before', 'with them', 'each'];
  const each = `${(((after - before) * 1_024) / WAITING).toFixed(1)} kB`;
  print('Memory of the guard', head, [[WAITING, `${before.toFixed(0)} MB`, `${after.toFixed(0)} MB`, each]]);
}

const PARTS = { latency, limits, memory };

async function main(): Promise<void> {
  const asked = process.argv.slice(2);
  for (const [name, part] of Object.entries(PARTS)) if (asked.length === 0 || asked.includes(name)) await part();
}

void main();
