import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processStartTime } from '../ipc/process-start-time';
import type { Roster } from './roster';

/** One process, for good. */
export interface ReaperRecord {
  pid: number;
  startTime: string;
}

export interface ReaperOptions {
  /** Who is alive. The reaper's own record is in the same folder. */
  roster: Roster;
  /** Clusters may live so long without a supervisor, ms. */
  graceMs: number;
  /** They may then take so long to save their sessions and caches, ms. */
  stopTimeoutMs: number;
}

/** How late after the grace time a cluster may begin to leave, ms. */
const MARGIN_MS = 5_000;
/** A reaper that died is replaced after this time, ms. */
const RESPAWN_MS = 1_000;

/*
 * A shell, because it waits for as long as the supervisor lives and costs 1 MB where Node costs 40. A line on its
 * stdin dismisses it; the end of its stdin is the end of the supervisor.
 */
const SCRIPT = 'read -r _ && exit 0; sleep "$1"; shift; exec "$@"';

/**
 * Ends clusters that outlive the grace time: an agent leaves by itself, but not when the bot's event loop is blocked or
 * the process is stopped, and a supervisor that was killed cannot see to it. A process of its own, in a session of its
 * own.
 */
export class Reaper {
  #child: ChildProcess | null = null;
  #respawn: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(private readonly options: ReaperOptions) {}

  /** Starts it, and ends that of an earlier supervisor: its clusters are about to be taken over. */
  start(): void {
    const earlier = readReaperRecord(this.options.roster.dir);
    if (earlier !== null && processStartTime(earlier.pid) === earlier.startTime) process.kill(earlier.pid, 'SIGKILL');
    this.#spawn();
  }

  /** Dismisses it: no cluster is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#respawn !== null) clearTimeout(this.#respawn);
    const child = this.#child;
    rmSync(reaperFile(this.options.roster.dir), { force: true });
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  #spawn(): void {
    const { roster, graceMs, stopTimeoutMs } = this.options;
    const seconds = Math.ceil((graceMs + MARGIN_MS) / 1_000);
    const program = [process.execPath, join(__dirname, 'reaper-main.js')];
    const args = [roster.dir, stopTimeoutMs, process.pid, processStartTime(process.pid) ?? ''];
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'botctl-reaper', String(seconds), ...program, ...args.map(String)], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    });
    this.#child = child;
    child.on('error', () => undefined); // no shell: agents still leave by themselves
    child.stdin.on('error', () => undefined);
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    if (child.pid === undefined) return;
    child.on('exit', () => {
      if (!this.#stopped) this.#respawn = setTimeout(() => this.#spawn(), RESPAWN_MS).unref();
    });
    try {
      writeRecord(roster.dir, { pid: child.pid, startTime: processStartTime(child.pid) ?? '' });
    } catch {
      // A full disk. It does its work all the same; its successor, once there is room, is written down.
    }
  }
}

/** Which reaper is responsible for the clusters of a roster; null: none. */
export function readReaperRecord(rosterDir: string): ReaperRecord | null {
  try {
    const record = JSON.parse(readFileSync(reaperFile(rosterDir), 'utf8')) as Partial<ReaperRecord>;
    return typeof record.pid === 'number' && record.pid > 0 && typeof record.startTime === 'string'
      ? (record as ReaperRecord)
      : null;
  } catch {
    return null;
  }
}

function writeRecord(rosterDir: string, record: ReaperRecord): void {
  const file = reaperFile(rosterDir);
  writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function reaperFile(rosterDir: string): string {
  return join(rosterDir, 'reaper');
}
