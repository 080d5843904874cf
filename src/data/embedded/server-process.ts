import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account';
import { cleanEnv } from './account';
import type { ProcessIdentity } from './process-identity';
import { identify, isRunning, sendSignal } from './process-identity';
import type { ServerLog } from './server-log';

/** How often a server that is not our child is looked at, ms. */
const POLL_MS = 500;
/** How often the size of the log is looked at, in polls. */
const LOG_POLLS = 60;

export interface StopStep {
  signal: NodeJS.Signals;
  /** Time to end before the next step, ms. */
  waitMs: number;
}

/** A server's process: our own child, or one left by a supervisor that died. */
export class ServerProcess {
  #ended: string | null = null;
  #timer: NodeJS.Timeout | null = null;

  private constructor(
    readonly identity: ProcessIdentity,
    private readonly log: ServerLog,
    private readonly child: ChildProcess | null,
  ) {
    child?.once('exit', (code, signal) => {
      this.#ended = signal !== null ? `was ended by ${signal}` : `ended with code ${code ?? 'unknown'}`;
    });
  }

  /** Starts a server in a session of its own: the terminal's Ctrl-C is for the supervisor. @throws Error of spawn */
  static async spawn(
    file: string,
    args: readonly string[],
    options: { cwd: string; account: Account | null; log: ServerLog },
  ): Promise<ServerProcess> {
    const fd = options.log.open();
    try {
      const child = spawn(file, args, {
        cwd: options.cwd,
        detached: true,
        stdio: ['ignore', fd, fd],
        env: cleanEnv(),
        ...(options.account === null ? {} : { uid: options.account.uid, gid: options.account.gid }),
      });
      const { pid } = child;
      if (pid === undefined) {
        throw await new Promise<Error>((resolve) => child.once('error', resolve));
      }
      child.on('error', () => undefined); // a signal that could not be sent: the next look tells
      child.unref();
      return new ServerProcess(identify(pid) ?? { pid, startTime: 'gone' }, options.log, child);
    } finally {
      closeSync(fd);
    }
  }

  /** Takes over a process that runs already. */
  static adopt(identity: ProcessIdentity, log: ServerLog): ServerProcess {
    return new ServerProcess(identity, log, null);
  }

  get running(): boolean {
    // A child is over when it has been reaped: its first thread can end before those that hold its port.
    return this.#ended === null && (this.child !== null || isRunning(this.identity));
  }

  /** How it ended, as the end of a sentence. */
  get ending(): string {
    return this.#ended ?? (this.child === null ? 'is gone' : 'ended');
  }

  /** Calls `onExit` once when the process is gone, unless `unwatch` came first. */
  watch(onExit: () => void): void {
    let polls = 0;
    this.#timer = setInterval(() => {
      polls += 1;
      if (polls % LOG_POLLS === 0) this.log.bound();
      if (this.running) return;
      this.unwatch();
      onExit();
    }, POLL_MS).unref();
  }

  unwatch(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Ends the process, from the polite signal to the last. @returns false when it survived them all */
  async stop(steps: readonly StopStep[]): Promise<boolean> {
    this.unwatch();
    for (const { signal, waitMs } of steps) {
      sendSignal(this.identity, signal);
      const until = performance.now() + waitMs;
      while (this.running && performance.now() < until) await sleep(25);
      if (!this.running) return true;
    }
    return !this.running;
  }
}
