import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { processStartTime } from '../ipc/process-start-time';

export interface SandboxSettings {
  guilds: number;
  shards: number;
  maxConcurrency: number;
  identifyIntervalMs: number;
  rate: number;
  port: number;
}

interface SandboxRecord {
  pid: number;
  startTime: string;
  apiUrl: string;
  settings: SandboxSettings;
}

/** The sandbox ends by itself when no supervisor has been heard for so long, ms. */
const LINGER_MS = 120_000;
const KEEPALIVE_MS = 5_000;
const START_TIMEOUT_MS = 10_000;

/**
 * The Discord on loopback of `botctl start --sandbox`. A process of its own, so that the clusters' connections survive a
 * supervisor that is killed; the next supervisor takes it over.
 */
export class SandboxProcess {
  #record: SandboxRecord | null = null;
  #keepalive: NodeJS.Timeout | null = null;

  constructor(
    private readonly stateDir: string,
    private readonly settings: SandboxSettings,
  ) {}

  /** Resolves with the REST base URL. */
  async start(): Promise<{ apiUrl: string; adopted: boolean }> {
    const previous = this.#readRecord();
    const alive = previous !== null && processStartTime(previous.pid) === previous.startTime;
    const adopted = alive && JSON.stringify(previous.settings) === JSON.stringify(this.settings);
    if (alive && !adopted) process.kill(previous.pid, 'SIGTERM');
    this.#record = adopted ? previous : await this.#launch();
    this.#keepalive = setInterval(() => void this.#post('keepalive'), KEEPALIVE_MS).unref();
    await this.#post('keepalive');
    return { apiUrl: this.#record.apiUrl, adopted };
  }

  async stop(): Promise<void> {
    if (this.#keepalive !== null) clearInterval(this.#keepalive);
    const record = this.#record;
    if (record === null) return;
    this.#record = null;
    rmSync(this.#file, { force: true });
    if (processStartTime(record.pid) === record.startTime) process.kill(record.pid, 'SIGTERM');
    await Promise.resolve();
  }

  async #launch(): Promise<SandboxRecord> {
    const options = { ...this.settings, lingerMs: LINGER_MS };
    const child = spawn(process.execPath, [join(__dirname, '..', 'sandbox', 'main.js')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { PATH: process.env['PATH'], BOTCTL_SANDBOX_OPTIONS: JSON.stringify(options) },
    });
    const { apiUrl } = await firstLine(child);
    const pid = child.pid ?? 0;
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
    const record = { pid, startTime: processStartTime(pid) ?? '', apiUrl, settings: this.settings };
    writeFileSync(`${this.#file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    return record;
  }

  async #post(action: string): Promise<void> {
    const record = this.#record;
    if (record === null) return;
    const url = new URL(`/_sandbox/${action}`, record.apiUrl);
    await fetch(url, { method: 'POST', signal: AbortSignal.timeout(KEEPALIVE_MS) }).catch(() => undefined);
  }

  get #file(): string {
    return join(this.stateDir, 'sandbox.json');
  }

  #readRecord(): SandboxRecord | null {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8')) as SandboxRecord;
    } catch {
      return null;
    }
  }
}

/** The sandbox prints one line of JSON when it listens. */
async function firstLine(child: ChildProcess): Promise<{ port: number; apiUrl: string }> {
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  if (child.stdout === null) throw new Error('the sandbox has no output');
  const lines = createInterface({ input: child.stdout });
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  try {
    const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => [null])])) as [
      string | null,
    ];
    if (line === null) throw new Error(`The sandbox did not start: ${errors.trim() || 'it ended without a word'}`);
    return JSON.parse(line) as { port: number; apiUrl: string };
  } finally {
    clearTimeout(timer);
    lines.close();
  }
}
