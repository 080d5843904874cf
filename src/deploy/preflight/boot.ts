import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PROTOCOL_VERSION, type BootRecord, type GatewayBot } from '../../ipc/messages';
import { PREFLIGHT_MARK, type PreflightResult } from '../../ipc/preflight';
import type { BotSpec } from '../../sharding/bot-spec';
import type { Clock } from '../../clock';
import {
  adoptCluster,
  launchCluster,
  type ClusterProcess,
  type ProcessExit,
} from '../../sharding/cluster/cluster-process';
import { writeFileWhole } from '../write-file';

export interface BootOptions {
  spec: BotSpec;
  /** Shards that the process believes to have. */
  shardIds: readonly number[];
  totalShards: number;
  discordApi: string;
  gateway: GatewayBot;
  /** Owner-only; what is in it goes. */
  dir: string;
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
}

/** `reason`: one sentence, why the bot did not get as far as `login()`. */
export type BootOutcome = { ok: true; note: string | null } | { ok: false; reason: string };

const PROCESS_FILE = 'process.json';
const TAIL_BYTES = 64 * 1024;
const MAX_REASON = 300;

/** Boots the bot as a cluster would, up to `login()`. Nothing connects, nothing identifies; the process is gone afterwards. */
export async function bootOnce(options: BootOptions): Promise<BootOutcome> {
  const { dir, spec, clock, timeoutMs, signal } = options;
  endLeftover(dir, clock);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const resultFile = join(dir, 'result.json');
  const process = launchCluster({
    execPath: spec.execPath,
    args: spec.args,
    cwd: spec.cwd,
    env: spec.env,
    outFile: join(dir, 'out.log'),
    errFile: join(dir, 'err.log'),
    bootFile: join(dir, 'boot'),
    boot: recordOf(options, resultFile),
  });
  // A supervisor that is killed meanwhile leaves a process that the next one ends.
  writeFileWhole(join(dir, PROCESS_FILE), JSON.stringify({ pid: process.pid, startTime: process.startTime }));
  try {
    const exit = await Promise.race([process.exited, timeout(clock, timeoutMs), aborted(signal)]);
    if (signal.aborted) return { ok: false, reason: 'given up' };
    if (exit === null) return { ok: false, reason: `it did not call client.login() within ${timeoutMs / 1_000} s` };
    return judge(exit, resultOf(resultFile), join(dir, 'err.log'));
  } finally {
    process.kill('SIGKILL');
    await process.exited;
    rmSync(dir, { recursive: true, force: true });
  }
}

function recordOf(options: BootOptions, preflightFile: string): BootRecord {
  const { spec, shardIds, totalShards, discordApi, gateway, dir } = options;
  return {
    protocol: PROTOCOL_VERSION,
    clusterId: 0,
    incarnation: 'preflight',
    shardIds: [...shardIds],
    totalShards,
    release: spec.release,
    socketPath: '',
    parkDir: dir,
    env: { ...spec.secretEnv, [PREFLIGHT_MARK]: '1' },
    discordApi,
    restGuard: null,
    gateway,
    timings: { sampleIntervalMs: options.timeoutMs, graceMs: 0, checkpointMs: 0 },
    preflightFile,
  };
}

function judge(exit: ProcessExit, result: PreflightResult | null, errFile: string): BootOutcome {
  switch (result?.reached) {
    case 'login':
      return { ok: true, note: null };
    case 'gateway':
      return {
        ok: true,
        note: 'its discord.js is out of reach of the agent: clusters are replaced one by one, by restart',
      };
    case 'sharding-manager':
      return {
        ok: false,
        reason: "it starts discord.js's ShardingManager; bot.entry must be the file which that spawns",
      };
    case undefined: {
      const how = exit.signal === null ? `exit code ${exit.code ?? '?'}` : exit.signal;
      const said = errorLine(errFile);
      return { ok: false, reason: `it ended before client.login() (${how})${said === null ? '' : `: ${said}`}` };
    }
  }
}

function resultOf(file: string): PreflightResult | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as PreflightResult;
  } catch {
    return null;
  }
}

/** The line that says most of what a process wrote about its end: that of the error, not those of its stack. */
export function errorLine(file: string): string | null {
  const lines = tailOf(file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const line = lines.findLast((text) => /^(Uncaught )?\w*(Error|Exception)\b.*:/.test(text)) ?? lines.at(-1);
  return line === undefined ? null : line.slice(0, MAX_REASON);
}

function tailOf(file: string): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      const length = Math.min(size, TAIL_BYTES);
      const buffer = Buffer.alloc(length);
      readSync(fd, buffer, 0, length, size - length);
      return buffer.toString('utf8');
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

/** Ends what a supervisor that was killed has left behind. */
export function endLeftover(dir: string, clock: Clock): void {
  try {
    const left = JSON.parse(readFileSync(join(dir, PROCESS_FILE), 'utf8')) as Pick<ClusterProcess, 'pid' | 'startTime'>;
    adoptCluster(left.pid, left.startTime, clock)?.kill('SIGKILL');
  } catch {
    // nothing was left
  }
}

function timeout(clock: Clock, ms: number): Promise<null> {
  return new Promise((resolve) => void clock.after(ms, () => resolve(null)));
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
