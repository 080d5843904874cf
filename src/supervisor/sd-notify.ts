import { spawn } from 'node:child_process';

/** A systemd-notify that hangs is killed after this time, ms. */
const DEADLINE_MS = 5_000;

/**
 * Tells systemd how the service is (Type=notify, WatchdogSec). Through the `systemd-notify` program, which is wherever
 * NOTIFY_SOCKET is: Node has no datagram Unix sockets. Does nothing when systemd did not start us.
 */
export class SdNotify {
  #timer: NodeJS.Timeout | null = null;
  readonly #running = new Set<string>();
  readonly #waiting = new Map<string, string>();

  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly onError: (message: string) => void,
  ) {}

  ready(): void {
    this.#send('READY=1');
    const usec = Number(this.env['WATCHDOG_USEC']);
    const forUs = this.env['WATCHDOG_PID'] === undefined || this.env['WATCHDOG_PID'] === String(process.pid);
    if (Number.isFinite(usec) && usec > 0 && forUs) {
      this.#timer = setInterval(() => this.#send('WATCHDOG=1'), usec / 1_000 / 2).unref();
    }
  }

  status(text: string): void {
    this.#send(`STATUS=${text}`);
  }

  stopping(): void {
    this.#send('STOPPING=1');
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#waiting.clear();
  }

  /** One program at a time for each kind of message; of those that come meanwhile only the latest is kept. */
  #send(state: string): void {
    const socket = this.env['NOTIFY_SOCKET'];
    if (socket === undefined || socket === '') return;
    const kind = state.slice(0, state.indexOf('='));
    if (this.#running.has(kind)) {
      this.#waiting.set(kind, state);
      return;
    }
    const child = spawn('systemd-notify', [state], {
      stdio: 'ignore',
      env: { PATH: this.env['PATH'], NOTIFY_SOCKET: socket },
    });
    this.#running.add(kind);
    const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS).unref();
    const over = (problem: string | null): void => {
      clearTimeout(deadline);
      if (!this.#running.delete(kind)) return;
      if (problem !== null) this.onError(`systemd could not be told "${state}": ${problem}`);
      const next = this.#waiting.get(kind);
      this.#waiting.delete(kind);
      if (next !== undefined) this.#send(next);
    };
    child.once('error', (error) => over(error.message));
    child.once('exit', (code, signal) => over(code === 0 ? null : `systemd-notify ended with ${signal ?? code}`));
    child.unref();
  }
}
