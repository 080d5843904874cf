import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../clock';
import { systemClock } from '../../clock';
import { DataError } from '../data-error';
import { Allowance } from './allowance';
import type { DeferQueueOptions, DeferStats } from './defer-options';
import { DeadLetters, deadLetterIds } from './dead-letters';
import { fdatasync, isNoRoom } from './durable-file';
import type { Entry } from './entry';
import { makeEntry } from './entry';
import { codeOf } from './failure';
import { GuildLanes } from './guild-lanes';
import { Journal } from './journal';
import { JournalFolder } from './journal-folder';
import type { DeferOutcome } from './lane';
import { loadSegments } from './load';
import { Replayer, shardOf } from './replayer';
import { toWire } from './wire-params';

const MIB = 1024 * 1024;
const MAX_BYTES = 64 * MIB;
const MAX_ENTRIES = 100_000;
const MAX_KEY_LENGTH = 512;
/** A journal is this many files when it is full, within bounds for one file (bytes). */
const FILES = 8;
const SEGMENT_BYTES = { min: 128 * 1024, max: 8 * MIB };
const PATIENCE_MS = 2_000;
/** Executions under way that `close` waits for, ms. */
const CLOSE_MS = 10_000;
/** How often it is looked whether the process before this one has ended, ms. */
const ELDER_MS = 100;

/**
 * Durable write queue: a statement is executed now if the guild's database shard is up, else kept on disk and executed
 * later; in order within a guild, exactly once by its key.
 */
export class DeferQueue {
  readonly #nonce = randomBytes(6).toString('hex');
  #sequence = 0;
  #counters = { replayed: 0, duplicates: 0, rejected: 0 };
  #state: 'open' | 'closed' = 'open';
  #adopting: Promise<unknown> = Promise.resolve();
  /** Processes before this one whose statements come first. */
  #elders = 0;
  #closing: Promise<void> | null = null;
  readonly #drained = new Set<() => void>();
  readonly #stored: Allowance;
  readonly #replayer: Replayer;
  readonly #lanes: GuildLanes;
  readonly #clock: Clock;

  private constructor(
    private readonly options: DeferQueueOptions,
    private readonly folder: JournalFolder,
    private readonly journal: Journal,
    private readonly letters: DeadLetters,
  ) {
    const { target, log, clock = systemClock, random = Math.random } = options;
    const { maxEntries = MAX_ENTRIES, maxBytes = MAX_BYTES } = options;
    this.#clock = clock;
    this.#stored = new Allowance(maxEntries, maxBytes);
    this.#replayer = new Replayer({
      target,
      clock,
      log,
      random,
      onDone: (entry, outcome) => {
        this.#counters.replayed += 1;
        if (outcome === 'duplicate') this.#counters.duplicates += 1;
        this.#leave(entry);
      },
      onHopeless: (entry, error) => this.#bury(entry, error),
      onReplayed: (lane) => this.#lanes.drop(lane),
    });
    this.#lanes = new GuildLanes({
      target,
      replayer: this.#replayer,
      store: (entry) => journal.append(entry),
      allowances: { stored: this.#stored, direct: new Allowance(maxEntries, maxBytes) },
      onRefused: () => (this.#counters.rejected += 1),
      onDuplicate: () => (this.#counters.duplicates += 1),
      clock,
      patienceMs: options.patienceMs ?? PATIENCE_MS,
    });
  }

  /**
   * Opens a journal and takes over those of dead processes of the same owner.
   * @throws RangeError for an owner that cannot be part of a file's name, DataError DISK_FULL, or Error of the disk
   */
  static async open(options: DeferQueueOptions): Promise<DeferQueue> {
    const { dir, owner, log, clock = systemClock, sync = fdatasync, maxBytes = MAX_BYTES } = options;
    const folder = await JournalFolder.create(dir, owner, clock.now()).catch((error: unknown) => {
      throw openError(error);
    });
    try {
      const files = await folder.flatten(await folder.adopt((other) => other === owner));
      const loaded = await loadSegments(files, { dir, owner, sync, log, settled: await deadLetterIds(dir) });
      const segmentBytes = Math.max(SEGMENT_BYTES.min, Math.min(SEGMENT_BYTES.max, Math.ceil(maxBytes / FILES)));
      const journal = await Journal.create({ folder: folder.path, segmentBytes, sync, log }, files.length + 1);
      for (const segment of loaded.segments) journal.include(segment);
      const letters = await DeadLetters.open({ dir, owner, maxBytes, sync, log });
      const queue = new DeferQueue(options, folder, journal, letters);
      queue.#takeIn(loaded.entries);
      return queue;
    } catch (error) {
      await folder.release().catch(() => undefined); // what it took over is still in it
      throw openError(error);
    }
  }

  /**
   * Executes the statement (one, and none that ends a transaction) now or later; a key that was done before is not done again. Without a key it gets one.
   * @param guildId of a guild, validated before
   * @throws DataError QUEUE_FULL, DISK_FULL, CLOSED, UNAVAILABLE (the journal's disk fails): the statement was not taken.
   * @throws DatabaseError of pg when the statement is at fault and was executed at once
   * @throws RangeError for an empty key, or one longer than 512 characters
   */
  async defer(
    guildId: bigint,
    sql: string,
    params: readonly unknown[] = [],
    { key = randomUUID() }: { key?: string } = {},
  ): Promise<{ outcome: DeferOutcome; key: string }> {
    if (this.#state !== 'open') throw new DataError('CLOSED', 'The durable write queue is closed.');
    if (key === '' || key.length > MAX_KEY_LENGTH || key.includes('\0')) {
      throw new RangeError(`a key has 1 to ${MAX_KEY_LENGTH} characters and no zero bytes`);
    }
    this.#sequence += 1;
    const about = { id: `${this.#nonce}.${this.#sequence}`, at: this.#clock.now(), guildId, key };
    const outcome = await this.#lanes.submit(makeEntry(about, { sql, params: toWire(params) }));
    return { outcome, key };
  }

  stats(): DeferStats {
    const now = this.#clock.now();
    const byShard = new Map<number, number>();
    let oldest = Infinity;
    for (const lane of this.#lanes.lanes) {
      const [head] = lane.items;
      if (head === undefined || !lane.storing) continue;
      oldest = Math.min(oldest, head.entry.at);
      const shard = shardOf(this.options.target, lane.guildId);
      byShard.set(shard, (byShard.get(shard) ?? 0) + lane.items.length);
    }
    return {
      pending: this.#stored.entries,
      bytes: this.#stored.bytes,
      diskBytes: this.journal.diskBytes,
      oldestAgeMs: oldest === Infinity ? null : Math.max(0, now - oldest),
      ...this.#counters,
      deadLetters: this.letters.count,
      byShard: Array.from(byShard, ([shard, pending]) => ({ shard, pending, down: this.#replayer.isDown(shard) })).sort(
        (a, b) => a.shard - b.shard,
      ),
    };
  }

  /**
   * Takes over the journals of dead processes of any owner, and returns how many entries that were. Order within a guild
   * is kept within an owner: leave out those that will be started again, they take over their own.
   * @throws Error of the disk
   */
  adoptOrphans(accepts: (owner: string) => boolean = () => true): Promise<number> {
    const adopted = this.#adopting.then(() => this.#adopt(accepts));
    this.#adopting = adopted.catch(() => undefined);
    return adopted;
  }

  /** Names what is pending, for the process that takes over from this one (`succeed`); null: nothing is. */
  get pendingJournal(): string | null {
    return this.#stored.entries === 0 ? null : this.folder.born;
  }

  /**
   * Puts the statements of the process before this one first: from now on all are kept, until that process has ended and
   * what it left is taken over.
   * @param journal its `pendingJournal`
   */
  succeed(journal: string): void {
    this.#elders += 1;
    const held = Promise.all([this.#lanes.hold(), this.#replayer.hold()]);
    this.#adopting = Promise.all([this.#adopting, held])
      .then(() => this.#takeElder(journal))
      .catch((error: unknown) => {
        const message = `what the process before this one has deferred is left to others (${codeOf(error)})`;
        this.options.log('error', message);
      })
      .finally(() => this.#endHold());
  }

  /** Tries what is pending without further delay. Returns how many entries are left: 0, unless the time (ms) was over. */
  async flush({ timeoutMs }: { timeoutMs: number }): Promise<number> {
    this.#replayer.hurry();
    if (this.#stored.entries === 0) return 0;
    await keepAlive(
      new Promise<void>((resolve) => {
        const end = (): void => {
          cancel();
          this.#drained.delete(end);
          resolve();
        };
        const cancel = this.#clock.after(timeoutMs, end);
        this.#drained.add(end);
      }),
    );
    return this.#stored.entries;
  }

  /** Takes no more statements and lets those under way end, within 10 s; what is pending stays for the next who opens. */
  close(): Promise<void> {
    return (this.#closing ??= keepAlive(this.#close()));
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    await this.#adopting;
    const ended = Promise.all([this.#lanes.close(), this.#replayer.stop()]);
    const timeout = new Promise<void>((resolve) => {
      const cancel = this.#clock.after(CLOSE_MS, resolve);
      void ended.finally(cancel);
    });
    await Promise.race([ended, timeout]);
    await this.journal.close();
    for (const end of [...this.#drained]) end();
    await (this.journal.disposable ? this.folder.remove() : this.folder.release());
  }

  async #adopt(accepts: (owner: string) => boolean): Promise<number> {
    if (this.#state !== 'open') return 0;
    const entries = await this.#load(await this.folder.adopt(accepts));
    this.#takeIn(entries);
    return entries.length;
  }

  /** Makes files that were taken over ours; returns what is pending in them. */
  async #load(files: readonly string[]): Promise<Entry[]> {
    if (files.length === 0) return [];
    const { dir, owner, log, sync = fdatasync } = this.options;
    const loaded = await loadSegments(files, { dir, owner, sync, log, settled: await deadLetterIds(dir) });
    for (const segment of loaded.segments) this.journal.include(segment);
    return loaded.entries;
  }

  async #takeElder(journal: string): Promise<void> {
    while (this.#state === 'open') {
      const files = await this.folder.adoptElder(journal);
      if (files !== null) {
        this.#lanes.restoreBefore(await this.#load(files));
        return;
      }
      await new Promise<void>((resolve) => void this.#clock.after(ELDER_MS, resolve));
    }
  }

  #endHold(): void {
    this.#elders -= 1;
    if (this.#elders > 0 || this.#state !== 'open') return;
    this.#lanes.release();
    this.#replayer.release();
  }

  #takeIn(entries: readonly Entry[]): void {
    if (entries.length > 0) {
      this.options.log('info', `took over ${entries.length} deferred statements of a process that ended`);
    }
    for (const entry of entries) this.#lanes.restore(entry);
    this.#lanes.resume();
  }

  async #bury(entry: Entry, error: unknown): Promise<void> {
    await this.letters.add(entry, error, this.#clock.now());
    // The message could hold values of the statement; the file has it.
    const what = `key ${JSON.stringify(entry.key)} of guild ${String(entry.guildId)}`;
    this.options.log(
      'error',
      `a deferred statement cannot succeed (${codeOf(error)}): ${what}, in ${this.letters.file}`,
    );
    this.#leave(entry);
  }

  #leave(entry: Entry): void {
    this.journal.settle(entry.id);
    this.#stored.release(entry.record.length);
    if (this.#stored.entries === 0) for (const end of [...this.#drained]) end();
  }
}

/** Timers of the clock let a process end that has nothing else to do; one that waits for us has. */
async function keepAlive<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 60_000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

function openError(error: unknown): unknown {
  if (!isNoRoom(error)) return error;
  return new DataError('DISK_FULL', 'The durable write queue cannot be opened: the disk is full.', { cause: error });
}
