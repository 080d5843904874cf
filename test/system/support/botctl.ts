import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { observe } from '../../../src/cli/supervisor-view';
import type { Status } from '../../../src/control/contract';
import { until } from '../../support/until';

const ROOT = resolve(__dirname, '../../..');
/** Each look costs the supervisor something, too. */
const STATUS_POLL_MS = 40;
const BIN = join(ROOT, 'dist/bin/botctl.js');

/** Long and unlike anything else, so that a search for it finds it and nothing else. */
export const TOKEN = 'MTIzNDU2Nzg5MDEyMzQ1Njc4.GsEcRe.t0k3n-that-must-not-be-seen-anywhere';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface BotctlOptions {
  /** Name of a file in test/system/bots, or a path. */
  bot: string;
  /** REST base URL of a sandbox. */
  api: string;
  config?: Record<string, object>;
  env?: Record<string, string>;
  node?: string;
}

/** A folder with a config, and the real `botctl` on it. Everything it started ends with `dispose`. */
export class Botctl {
  readonly dir = mkdtempSync(join(tmpdir(), 'botctl-system-'));
  readonly configFile = join(this.dir, 'botctl.yaml');
  readonly stateDir = join(this.dir, 'state');
  readonly env: NodeJS.ProcessEnv;
  readonly #node: string;
  readonly #children: ChildProcess[] = [];

  constructor({ bot, api, config = {}, env = {}, node = process.execPath }: BotctlOptions) {
    if (!existsSync(BIN)) throw new Error('build first: npm run build');
    this.#node = node;
    const { bot: botConfig, ...rest } = config;
    writeFileSync(
      this.configFile,
      stringify({
        bot: { name: 'test-bot', entry: resolve(__dirname, '../bots', bot), cwd: this.dir, ...botConfig },
        discord: { api },
        postgres: { embedded: { enabled: false } },
        redis: { embedded: { enabled: false } },
        http: { enabled: false },
        metrics: { interval: '1s' },
        stateDir: this.stateDir,
        ...rest,
      }),
    );
    this.env = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NO_COLOR: '1',
      DISCORD_TOKEN: TOKEN,
      ...env,
    };
  }

  /** Starts `botctl start`; `ended` resolves when the supervisor has ended. */
  start(...args: string[]): { child: ChildProcess; ended: Promise<Ended>; output: () => string } {
    return this.#run(['start', ...args]);
  }

  /** Runs another command to its end. */
  cli(...args: string[]): Promise<Ended> {
    return this.#run(args).ended;
  }

  /** What `botctl status --json` prints, without a process for each look. */
  status(): Promise<Status> {
    const { configFile: file, dir, stateDir } = this;
    return observe({ file, dir, stateDir, readName: () => Promise.resolve('test-bot') });
  }

  async untilStatus(condition: (status: Status) => boolean, timeoutMs = 90_000): Promise<Status> {
    let last = await this.status();
    await until(async () => condition((last = await this.status())), {
      timeoutMs,
      everyMs: STATUS_POLL_MS,
      what: () => `${condition.toString()}\n${JSON.stringify(last, null, 1)}\n${this.logs().slice(-4_000)}`,
    });
    return last;
  }

  untilReady(): Promise<Status> {
    return this.untilStatus(({ verdict, shards }) => verdict === 'well' && shards.length > 0);
  }

  /** Everything in the log files. */
  logs(): string {
    const dir = join(this.stateDir, 'logs');
    if (!existsSync(dir)) return '';
    return readdirSync(dir)
      .map((name) => readFileSync(join(dir, name), 'utf8'))
      .join('');
  }

  /** Pids of all processes whose working folder or command line is in this folder: the supervisor and its clusters. */
  processes(): number[] {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== process.pid && this.#isOurs(pid));
  }

  async dispose(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    for (const pid of this.processes()) kill(pid);
    await until(() => this.processes().length === 0);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #isOurs(pid: number): boolean {
    try {
      const zombie = /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      if (zombie) return false;
      return (
        readlinkSync(`/proc/${pid}/cwd`) === this.dir || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.dir)
      );
    } catch {
      return false; // ended, or not ours to look at
    }
  }

  #run(args: string[]): { child: ChildProcess; ended: Promise<Ended>; output: () => string } {
    const [command = '', ...rest] = args;
    const child = spawn(this.#node, [BIN, command, '--config', this.configFile, ...rest], {
      cwd: this.dir,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout,
      stderr,
    }));
    return { child, ended, output: () => stdout + stderr };
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}
