import { closeSync, fdatasyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import type { Clock } from '../../clock';

interface Spent {
  id: number;
  at: number;
  shard: number;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Entries are kept a little longer than Discord's window, for clocks that differ. */
const KEEP_MS = DAY_MS + 60 * 60 * 1_000;
const COMPACT_EVERY = 2_000;

/** What was spent of the identify limit, on disk before each permit is given, so that no restart forgets it. */
export interface IdentifyLedger {
  /** Records one IDENTIFY; durable when it returns. Returns the id for `refund`. */
  spend(shardId: number): number;
  /** The IDENTIFY was not sent after all. */
  refund(id: number): void;
  /** Number spent at or after `since` (ms since the epoch). */
  spentSince(since: number): number;
  /** Number of identifies of one shard at or after `since`. */
  spentByShard(shardId: number, since: number): number;
  /** Time of the latest IDENTIFY of any shard that `match` accepts, or null. */
  lastSpent(match: (shardId: number) => boolean): number | null;
  close(): void;
}

/**
 * Ledger in an append-only file of JSON lines. A disk that fails does not stop supervision: the account goes on in
 * memory and `onDiskError` is told.
 */
export class FileIdentifyLedger implements IdentifyLedger {
  #spent = new Map<number, Spent>();
  #nextId = 1;
  #lines = 0;
  /** The file ends in the middle of a line: the next one must not be glued to it. */
  #torn = false;
  #fd: number | null = null;

  constructor(
    private readonly file: string,
    private readonly clock: Clock,
    private readonly onDiskError: (error: Error) => void,
  ) {
    this.#load();
    this.#compact();
  }

  spend(shardId: number): number {
    const entry = { id: this.#nextId++, at: this.clock.now(), shard: shardId };
    this.#spent.set(entry.id, entry);
    this.#append(entry);
    return entry.id;
  }

  refund(id: number): void {
    if (this.#spent.delete(id)) this.#append({ refund: id });
  }

  spentSince(since: number): number {
    let count = 0;
    for (const entry of this.#spent.values()) if (entry.at >= since) count++;
    return count;
  }

  spentByShard(shardId: number, since: number): number {
    let count = 0;
    for (const entry of this.#spent.values()) if (entry.shard === shardId && entry.at >= since) count++;
    return count;
  }

  lastSpent(match: (shardId: number) => boolean): number | null {
    let last: number | null = null;
    for (const entry of this.#spent.values())
      if (match(entry.shard) && (last === null || entry.at > last)) last = entry.at;
    return last;
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #load(): void {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.onDiskError(error as Error);
      return;
    }
    this.#torn = text !== '' && !text.endsWith('\n');
    const now = this.clock.now();
    for (const line of text.split('\n')) {
      const entry = parseLine(line);
      if (entry === null) continue; // a torn last line after a crash: its permit was never given
      if ('refund' in entry) {
        this.#spent.delete(entry.refund);
      } else {
        // A time in the future (the clock was set back) counts as now, or it would never expire.
        this.#spent.set(entry.id, { ...entry, at: Math.min(entry.at, now) });
        this.#nextId = Math.max(this.#nextId, entry.id + 1);
      }
    }
  }

  #compact(): void {
    const oldest = this.clock.now() - KEEP_MS;
    for (const entry of this.#spent.values()) if (entry.at < oldest) this.#spent.delete(entry.id);
    try {
      this.close();
      const text = [...this.#spent.values()].map((entry) => JSON.stringify(entry) + '\n').join('');
      writeFileSync(`${this.file}.new`, text, { mode: 0o600, flush: true });
      renameSync(`${this.file}.new`, this.file);
      this.#fd = openSync(this.file, 'a', 0o600);
      this.#lines = this.#spent.size;
      this.#torn = false;
    } catch (error) {
      this.onDiskError(error as Error);
    }
  }

  #append(line: object): void {
    if (++this.#lines > this.#spent.size + COMPACT_EVERY) return this.#compact();
    try {
      this.#fd ??= openSync(this.file, 'a', 0o600);
      writeSync(this.#fd, `${this.#torn ? '\n' : ''}${JSON.stringify(line)}\n`);
      this.#torn = false;
      fdatasyncSync(this.#fd);
    } catch (error) {
      this.onDiskError(error as Error);
    }
  }
}

function parseLine(line: string): Spent | { refund: number } | null {
  try {
    const value = JSON.parse(line) as Partial<Spent & { refund: number }>;
    if (typeof value.refund === 'number') return { refund: value.refund };
    const { id, at, shard } = value;
    return typeof id === 'number' && typeof at === 'number' && typeof shard === 'number' ? { id, at, shard } : null;
  } catch {
    return null;
  }
}
