import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Agent, type Dispatcher } from 'undici';
import type { GuardSettings } from '../../../src/rest-guard/settings';
import { fetchGuardReport } from '../../../src/supervisor/rest-guard/client';
import type { GuardReport } from '../../../src/rest-guard/stats';

const MAIN = resolve(__dirname, '../../../dist/src/rest-guard/main.js');

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** The real guard in its own process, and callers for it. */
export class GuardProcess {
  readonly dir = mkdtempSync(join(tmpdir(), 'botctl-guard-'));
  readonly socketPath = join(this.dir, 'rest.sock');
  readonly agent = new Agent({ connect: { socketPath: this.socketPath }, headersTimeout: 0 });
  readonly basePath: string;
  readonly #child: ChildProcess;

  private constructor(settings: Partial<GuardSettings> & { api: string }) {
    this.basePath = new URL(settings.api).pathname;
    this.#child = spawn(process.execPath, [MAIN], { stdio: ['pipe', 'pipe', 'inherit'] });
    const all: GuardSettings = {
      socketPath: this.socketPath,
      globalPerSecond: 50,
      maxQueue: 10_000,
      maxWaitMs: 60_000,
      invalidLimit: 10_000,
      lingerMs: 60_000,
      ...settings,
    };
    this.#child.stdin?.end(JSON.stringify(all));
  }

  static async start(settings: Partial<GuardSettings> & { api: string }): Promise<GuardProcess> {
    const guard = new GuardProcess(settings);
    await once(guard.#child.stdout!, 'data');
    return guard;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async call(path: string, options: Partial<Dispatcher.RequestOptions> & { cluster?: string } = {}): Promise<Answer> {
    const { cluster = '0', headers, ...rest } = options;
    const answer = await this.agent.request({
      origin: 'http://rest-guard',
      path: `${this.basePath}${path}`,
      method: 'GET',
      headers: { authorization: 'Bot token', 'x-botctl-cluster': cluster, ...(headers as Record<string, string>) },
      ...rest,
    });
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  /** Writes bytes to a connection of its own. */
  raw(text: string): { socket: Socket; received: () => string; ended: Promise<unknown> } {
    const socket = createConnection(this.socketPath);
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.write(text);
    return { socket, received: () => received, ended: once(socket, 'close') };
  }

  report(): Promise<GuardReport> {
    return fetchGuardReport(this.socketPath, 0, 5_000);
  }

  async end(): Promise<void> {
    await this.agent.destroy();
    const ended = once(this.#child, 'exit');
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await ended;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
