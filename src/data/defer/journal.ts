import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../data-error';
import type { DeferLog } from './defer-log';
import type { Sync } from './durable-file';
import { isNoRoom } from './durable-file';
import type { Entry } from './entry';
import { settledRecord } from './entry';
import { codeOf } from './failure';
import { segmentName } from './journal-folder';
import { Segment } from './segment';

interface Write {
  record: Buffer;
  /** null: nobody waits, and it need not be durable. */
  entry: Entry | null;
  done: (error?: DataError) => void;
}

export interface JournalOptions {
  folder: string;
  /** A new file is begun at this length, bytes. */
  segmentBytes: number;
  sync: Sync;
  log: DeferLog;
}

/** A file with little in it is not worth a rewrite, bytes. */
const SMALL_BYTES = 64 * 1024;

/**
 * The files of one journal. Whatever is asked for while the disk is busy is written together and made durable by one
 * fsync. Entries stay in memory until they are settled, so that files can be written anew without being read.
 */
export class Journal {
  readonly #segmentOf = new Map<string, Segment>();
  #older: Segment[] = [];
  #writes: Write[] = [];
  #busy: Promise<void> | null = null;
  /** Older files that could not be made smaller: not tried again before this many live bytes are left. */
  readonly #notBefore = new WeakMap<Segment, number>();

  private constructor(
    private readonly options: JournalOptions,
    private active: Segment,
    private number: number,
  ) {}

  /** @param number of the first file; all that are there already must have lower ones. @throws Error of the disk */
  static async create(options: JournalOptions, number: number): Promise<Journal> {
    const active = await Segment.create(join(options.folder, segmentName(number)), options.sync);
    return new Journal(options, active, number);
  }

  /** Entries that are not settled. */
  get size(): number {
    return this.#segmentOf.size;
  }

  /** Nothing in the files is needed any more. */
  get disposable(): boolean {
    return this.size === 0 && !this.#older.some(({ pinned }) => pinned);
  }

  /** Length of all files, bytes. */
  get diskBytes(): number {
    return this.#older.reduce((sum, segment) => sum + segment.bytes, this.active.bytes);
  }

  /** Takes in a file that was found, with its entries. */
  include(segment: Segment): void {
    this.#older.push(segment);
    for (const id of segment.live.keys()) this.#segmentOf.set(id, segment);
  }

  /** Resolves when the entry is durable. @throws DataError DISK_FULL, or UNAVAILABLE when the disk fails */
  append(entry: Entry): Promise<void> {
    return this.#write(entry.record, entry);
  }

  /**
   * Drops an entry. Durable some time later: until then it would be executed again after a crash, which does no harm to
   * one whose key is in the database.
   */
  settle(id: string): void {
    this.#segmentOf.get(id)?.settle(id);
    if (this.#segmentOf.delete(id)) void this.#write(settledRecord(id), null);
  }

  /** Resolves when nothing more is being written. */
  async idle(): Promise<void> {
    while (this.#busy !== null) await this.#busy;
  }

  async close(): Promise<void> {
    await this.idle();
    await this.active.seal();
  }

  #write(record: Buffer, entry: Entry | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writes.push({ record, entry, done: (error) => (error === undefined ? resolve() : reject(error)) });
      this.#busy ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // everything asked for in this turn belongs to the first batch
    while (this.#writes.length > 0) {
      const batch = this.#writes;
      this.#writes = [];
      await this.#commit(batch);
      await this.#tidy();
    }
    this.#busy = null;
  }

  async #commit(batch: Write[]): Promise<void> {
    const entries = batch.flatMap(({ entry }) => entry ?? []);
    try {
      await this.#store(batch, entries.length > 0);
    } catch (error) {
      const failure = diskError(error, this.active.failure !== null);
      for (const { entry, done } of batch) done(entry === null ? undefined : failure);
      return;
    }
    for (const entry of entries) {
      this.active.add(entry);
      this.#segmentOf.set(entry.id, this.active);
    }
    for (const { done } of batch) done();
  }

  async #store(batch: Write[], durable: boolean): Promise<void> {
    const records = batch.map(({ record }) => record);
    if ((await this.active.append(Buffer.concat(records), durable)) || !durable) return;
    const code = codeOf(this.active.failure);
    this.options.log('error', `the journal cannot be written (${code}): it is written anew`);
    await this.active.rewrite(records);
  }

  async #beginFile(): Promise<void> {
    const segment = await Segment.create(join(this.options.folder, segmentName(this.number + 1)), this.options.sync);
    await this.active.seal();
    this.#older.push(this.active);
    this.active = segment;
    this.number += 1;
  }

  /** One step a batch, so that nobody waits for long. */
  async #tidy(): Promise<void> {
    try {
      if (this.active.bytes >= this.options.segmentBytes && this.active.live.size > 0) {
        await this.#beginFile();
      } else if (this.active.bytes >= SMALL_BYTES && this.active.live.size === 0) {
        await this.active.clear();
      }
      await this.#compact();
    } catch (error) {
      if (!isNoRoom(error)) this.options.log('warn', `the journal cannot be tidied (${codeOf(error)})`);
    }
  }

  async #compact(): Promise<void> {
    for (const empty of this.#older.filter(({ live, pinned }) => live.size === 0 && !pinned)) {
      await rm(empty.path, { force: true });
      this.#older = this.#older.filter((segment) => segment !== empty);
    }
    const wasteful = this.#older.find(
      (segment) =>
        !segment.pinned &&
        segment.bytes >= SMALL_BYTES &&
        segment.liveBytes < Math.min(segment.bytes / 2, this.#notBefore.get(segment) ?? Infinity),
    );
    if (wasteful === undefined) return;
    this.#notBefore.set(wasteful, wasteful.liveBytes / 2);
    await wasteful.rewrite();
  }
}

function diskError(error: unknown, outcomeUnknown: boolean): DataError {
  const code = isNoRoom(error) ? 'DISK_FULL' : 'UNAVAILABLE';
  return new DataError(code, `The statement cannot be kept for later: the journal's disk fails (${codeOf(error)}).`, {
    cause: error,
    outcomeUnknown,
  });
}
