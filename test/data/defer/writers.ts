import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';
import { until } from '../../support/until';
import type { WriterSettings } from './writer';

/** A process that defers, and what it said. */
export class Writer {
  readonly acknowledged: { guild: string; n: number; outcome: string }[] = [];
  readonly lines: string[] = [];
  #ended = false;

  constructor(readonly child: ChildProcess) {
    const lines = createInterface({ input: child.stdout! });
    lines.on('line', (line) => this.#hear(line));
    lines.on('close', () => (this.#ended = true));
  }

  said(start: string): boolean {
    return this.lines.some((line) => line.startsWith(start));
  }

  async until(start: string): Promise<void> {
    await until(() => this.said(start) || this.#ended, { what: `"${start}"`, timeoutMs: 60_000 });
    if (!this.said(start)) throw new Error(`ended without "${start}": ${this.lines.slice(-5).join('\n')}`);
  }

  /** Resolves when it is gone and all it said was heard. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await until(() => this.#ended && (this.child.signalCode !== null || this.child.exitCode !== null));
  }

  #hear(line: string): void {
    const [word, guild = '', n = '', outcome = ''] = line.split(' ');
    if (word === 'ack') this.acknowledged.push({ guild, n: Number(n), outcome });
    else this.lines.push(line);
  }
}

/** Starts writers, from one compiled file so that each starts fast; ends them all. */
export class Writers {
  readonly all: Writer[] = [];
  readonly #program: string;

  constructor(base: string) {
    this.#program = join(base, 'writer.js');
    buildSync({
      entryPoints: [join(__dirname, 'writer.ts')],
      outfile: this.#program,
      bundle: true,
      platform: 'node',
      target: 'node20',
      external: ['pg-native', 'pg-cloudflare'],
      logLevel: 'error',
    });
  }

  start(settings: WriterSettings): Writer {
    const child = spawn(process.execPath, [this.#program, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const writer = new Writer(child);
    this.all.push(writer);
    return writer;
  }

  end(): void {
    for (const { child } of this.all) child.kill('SIGKILL');
  }
}
