import { open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeferLog } from './defer-log';
import type { Sync } from './durable-file';
import { syncFolder } from './durable-file';
import type { Entry } from './entry';
import { statementOf } from './entry';
import { codeOf } from './failure';
import { toJson } from './wire-params';

const NAME = /^[\w.-]+\.dead-letters\.jsonl(\.old)?$/;

export interface DeadLettersOptions {
  dir: string;
  owner: string;
  /** Of the present file, bytes; the one before it is kept, too. */
  maxBytes: number;
  sync: Sync;
  log: DeferLog;
}

/**
 * Statements that can never succeed, as lines of JSON, each with its error and all that is needed to do it by hand.
 * Durable. When the file is full it becomes `.old`, in the place of the `.old` before it.
 */
export class DeadLetters {
  readonly file: string;
  #last: Promise<unknown> = Promise.resolve();
  #inFile = 0;
  #inOld = 0;

  private constructor(private readonly options: DeadLettersOptions) {
    this.file = join(options.dir, `${options.owner}.dead-letters.jsonl`);
  }

  static async open(options: DeadLettersOptions): Promise<DeadLetters> {
    const letters = new DeadLetters(options);
    letters.#inFile = (await lines(letters.file)).length;
    letters.#inOld = (await lines(`${letters.file}.old`)).length;
    return letters;
  }

  /** How many are in the files. */
  get count(): number {
    return this.#inFile + this.#inOld;
  }

  /** Durable when it resolves. @throws Error of the disk */
  add(entry: Entry, error: unknown, now: number): Promise<void> {
    const { sql, params } = statementOf(entry);
    const letter = {
      id: entry.id,
      at: new Date(entry.at).toISOString(),
      failedAt: new Date(now).toISOString(),
      guild: String(entry.guildId),
      key: entry.key,
      error: { code: codeOf(error), message: error instanceof Error ? error.message : String(error) },
      sql,
      params: toJson(params),
    };
    const added = this.#last.then(() => this.#append(`${JSON.stringify(letter)}\n`));
    this.#last = added.catch(() => undefined);
    return added;
  }

  async #append(line: string): Promise<void> {
    const handle = await open(this.file, 'a+', 0o600);
    let full: boolean;
    try {
      const { size } = await handle.stat();
      const last = Buffer.alloc(1);
      if (size > 0) await handle.read(last, 0, 1, size - 1);
      const torn = size > 0 && last.toString() !== '\n';
      try {
        await handle.writeFile(torn ? `\n${line}` : line);
        await this.options.sync(handle);
      } catch (error) {
        await handle.truncate(size).catch(() => undefined);
        throw error;
      }
      this.#inFile += 1;
      full = size + Buffer.byteLength(line) >= this.options.maxBytes;
    } finally {
      await handle.close();
    }
    if (full) await this.#turnOver();
    else if (this.#inFile === 1) await syncFolder(this.options.dir);
  }

  async #turnOver(): Promise<void> {
    if (this.#inOld > 0) {
      this.options.log('error', `the file of dead letters is full: the ${this.#inOld} oldest are dropped`);
    }
    await rename(this.file, `${this.file}.old`);
    await syncFolder(this.options.dir);
    this.#inOld = this.#inFile;
    this.#inFile = 0;
  }
}

/** Ids of all that are in any file of dead letters in the folder, of every owner. @throws Error of the disk */
export async function deadLetterIds(dir: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const name of await readdir(dir)) {
    if (!NAME.test(name)) continue;
    for (const line of await lines(join(dir, name))) {
      const id = idOf(line);
      if (id !== null) ids.add(id);
    }
  }
  return ids;
}

function idOf(line: string): string | null {
  try {
    const { id } = JSON.parse(line) as { id?: unknown };
    return typeof id === 'string' ? id : null;
  } catch {
    return null; // torn: it was not acknowledged, so the entry is still pending
  }
}

async function lines(file: string): Promise<string[]> {
  const there = await stat(file).then(
    () => true,
    () => false,
  );
  return there ? (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '') : [];
}
