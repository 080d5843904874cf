import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeferQueueOptions } from '../../../src/data/defer';
import { DeferQueue } from '../../../src/data/defer';
import { FakeTarget } from './fake-target';

/** A folder for the journals of one test, and the queues on it. */
export class Scene {
  readonly base = mkdtempSync(join(tmpdir(), 'botctl-defer-'));
  readonly dir = join(this.base, 'defer');
  readonly target = new FakeTarget();
  readonly lines: string[] = [];
  readonly #queues: DeferQueue[] = [];

  async open(change: Partial<DeferQueueOptions> = {}): Promise<DeferQueue> {
    const { dir, target } = this;
    const log = (level: string, message: string): void => {
      this.lines.push(`${level} ${message}`);
    };
    const queue = await DeferQueue.open({ dir, owner: 'cluster-0', target, log, ...change });
    this.#queues.push(queue);
    return queue;
  }

  /** A copy of the folder as it is on disk now, in which every journal is that of a dead process: a kill -9 leaves this. */
  crashed(): string {
    const copy = mkdtempSync(join(this.base, 'crashed-'));
    cpSync(this.dir, copy, { recursive: true });
    for (const name of readdirSync(copy)) {
      renameSync(join(copy, name), join(copy, name.replace(`~${process.pid}~`, '~0~')));
    }
    return copy;
  }

  async end(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close().catch(() => undefined)));
    rmSync(this.base, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Paths of the files in a folder of journals, those of entries only. */
export function segments(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.log'))
    .map((name) => join(dir, name))
    .sort();
}

export function readLines(file: string): Record<string, unknown>[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}
