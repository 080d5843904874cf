import { spawn } from 'node:child_process';

/**
 * Tells systemd how the service is (Type=notify, WatchdogSec). Through the `systemd-notify` program, which is wherever
 * NOTIFY_SOCKET is: Node has no datagram Unix sockets. Does nothing when systemd did not start us.
 */
export class SdNotify {
  #timer: NodeJS.Timeout | null = null;

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
  }

  #send(state: string): void {
    const socket = this.env['NOTIFY_SOCKET'];
    if (socket === undefined || socket === '') return;
    const child = spawn('systemd-notify', [state], {
      stdio: 'ignore',
      env: { PATH: this.env['PATH'], NOTIFY_SOCKET: socket },
    });
    child.on('error', (error) => this.onError(`systemd could not be told "${state}": ${error.message}`));
    child.unref();
  }
}
