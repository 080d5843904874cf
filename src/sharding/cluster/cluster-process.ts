import { spawn } from 'node:child_process';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { BOOT_FD, BOOT_MARK, type BootRecord } from '../../ipc/messages';
import { processStartTime } from '../../ipc/process-start-time';
import type { Clock } from '../../clock';

/** How a process ended. Both null: it was adopted, so its status went to another parent. */
export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A cluster's process, whether we forked it or an earlier supervisor did. */
export interface ClusterProcess {
  readonly pid: number;
  readonly startTime: string;
  readonly exited: Promise<ProcessExit>;
  /** Sends a signal, unless the process is gone (the pid may be somebody else's by now). */
  kill(signal: NodeJS.Signals): void;
}

export interface LaunchOptions {
  /** Arguments of the node binary up to and including the script's own arguments. */
  execPath: string;
  args: readonly string[];
  cwd: string;
  /** Environment without secrets: it can be read in /proc. */
  env: NodeJS.ProcessEnv;
  /** Files to which the process appends what it prints. */
  outFile: string;
  errFile: string;
  /** Where the boot record is written before it is unlinked; an owner-only folder. */
  bootFile: string;
  boot: BootRecord;
}

/** The process could not be started at all (no memory, no descriptors, node binary missing). */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
}

/**
 * Starts a cluster's process in a session of its own: a Ctrl-C in the terminal does not reach it, and it outlives us.
 * @throws LaunchError
 */
export function launchCluster(options: LaunchOptions): ClusterProcess {
  const fds: number[] = [];
  try {
    const out = openSync(options.outFile, 'a', 0o600);
    fds.push(out);
    const err = openSync(options.errFile, 'a', 0o600);
    fds.push(err);
    const boot = openUnlinked(options.bootFile, JSON.stringify(options.boot));
    fds.push(boot);
    const stdio: ('ignore' | number)[] = ['ignore', out, err];
    stdio[BOOT_FD] = boot;
    const child = spawn(options.execPath, [...options.args], {
      cwd: options.cwd,
      env: { ...options.env, [BOOT_MARK]: '1' },
      stdio,
      detached: true,
    });
    const exited = new Promise<ProcessExit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', () => resolve({ code: null, signal: null }));
    });
    child.unref();
    if (child.pid === undefined) throw new LaunchError(`${options.execPath} could not be started`);
    const startTime = processStartTime(child.pid) ?? '';
    return new LiveProcess(child.pid, startTime, exited);
  } catch (error) {
    if (error instanceof LaunchError) throw error;
    throw new LaunchError(`the cluster's process could not be started: ${(error as Error).message}`, { cause: error });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** How often an adopted process is looked at, ms; its end is not reported to us, since we are not its parent. */
const WATCH_MS = 250;

/** Takes over a process that an earlier supervisor started; null when it is gone. */
export function adoptCluster(pid: number, startTime: string, clock: Clock): ClusterProcess | null {
  if (!isAlive(pid, startTime)) return null;
  const exited = new Promise<ProcessExit>((resolve) => {
    const watch = (): void => {
      if (isAlive(pid, startTime)) clock.after(WATCH_MS, watch);
      else resolve({ code: null, signal: null });
    };
    clock.after(WATCH_MS, watch);
  });
  return new LiveProcess(pid, startTime, exited);
}

/** True when the process with this pid is the one that started at `startTime`. */
export function isAlive(pid: number, startTime: string): boolean {
  return processStartTime(pid) === startTime;
}

class LiveProcess implements ClusterProcess {
  #gone = false;

  constructor(
    readonly pid: number,
    readonly startTime: string,
    readonly exited: Promise<ProcessExit>,
  ) {
    void exited.then(() => (this.#gone = true));
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#gone || processStartTime(this.pid) !== this.startTime) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // ended between the two lines
    }
  }
}

/** A file with no name: readable only through its descriptor. */
function openUnlinked(path: string, text: string): number {
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  writeSync(fd, text, 0, 'utf8');
  return fd;
}
