import { chmod, mkdir, open, stat, unlink, type FileHandle } from 'node:fs/promises';
import { writeSync } from 'node:fs';
import { listLogFiles, logFilePath } from './log-files';

/** The budget is divided into this many files, so that making room costs a tenth of the history, not half of it. */
const FILES_PER_BUDGET = 10;
/** Bytes given to the kernel in one write. */
const BATCH_BYTES = 256 * 1024;
/** Bytes kept in memory while the disk is slow; what comes on top is dropped and counted. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/** How often the current file is checked to be still the one in the folder, ms. */
const PRESENCE_CHECK_MS = 1000;

export interface RollingFilesOptions {
  dir: string;
  /** Bytes that all files together never exceed, not even for a moment. */
  maxBytes: number;
  /** Told once when lines can be written again after `dropped` of them could not. */
  onRecovered: (dropped: number, reason: string) => void;
  now?: () => number;
}

/**
 * Appends lines to numbered files in one folder under one byte budget for all of them. Never throws and never blocks:
 * writes are asynchronous, one at a time; a full or missing disk costs lines, which are counted. (The existing rotators
 * look at the size after the write and keep a number of files, not of bytes, so none of them holds a strict total.)
 */
export class RollingFiles {
  readonly #dir: string;
  readonly #maxBytes: number;
  readonly #fileBytes: number;
  readonly #onRecovered: RollingFilesOptions['onRecovered'];
  readonly #now: () => number;

  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #working: Promise<void> | null = null;
  #closed = false;

  #handle: FileHandle | null = null;
  #number = 0;
  #size = 0;
  /** The file ends in half a line; the next write begins with a line end. */
  #torn = false;
  #checkedAt = 0;

  #dropped = 0;
  #reason = '';
  #droppedTotal = 0;

  constructor(options: RollingFilesOptions) {
    this.#dir = options.dir;
    this.#maxBytes = options.maxBytes;
    this.#fileBytes = Math.max(1, Math.floor(options.maxBytes / FILES_PER_BUDGET));
    this.#onRecovered = options.onRecovered;
    this.#now = options.now ?? Date.now;
  }

  get dir(): string {
    return this.#dir;
  }

  /** Lines that never reached a file since the start. */
  get dropped(): number {
    return this.#droppedTotal;
  }

  /** `line` ends with a line end. */
  write(line: string): void {
    if (this.#closed) return;
    const bytes = Buffer.from(line);
    if (bytes.length >= this.#fileBytes) {
      this.#drop(1, `a line of ${bytes.length} bytes is longer than a file`);
    } else if (this.#pendingBytes + bytes.length > MAX_PENDING_BYTES) {
      this.#drop(1, 'the disk is too slow');
    } else {
      this.#pending.push(bytes);
      this.#pendingBytes += bytes.length;
      this.#working ??= this.#work();
    }
  }

  /** Resolves when everything written so far is in a file (or dropped). */
  async flush(): Promise<void> {
    await this.#working;
  }

  /** Flushes and closes; lines written later are ignored. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
    await this.#closeHandle();
  }

  /** For the last moment of a crashing process: writes what is pending now, blocking, without rotation. */
  flushSync(): void {
    const handle = this.#handle;
    if (handle === null) return;
    try {
      for (const batch of this.#pending.splice(0)) {
        if (this.#size + batch.length > this.#fileBytes) break;
        this.#size += writeSync(handle.fd, batch);
      }
    } catch {
      // Nobody is left to tell.
    }
    this.#pendingBytes = 0;
  }

  async #work(): Promise<void> {
    // One turn of the loop later: a burst of lines becomes one write.
    await new Promise(setImmediate);
    while (this.#pending.length > 0) {
      const batch = this.#takeBatch();
      try {
        await this.#append(batch);
        this.#recovered();
      } catch (error) {
        this.#drop(batch.length, (error as Error).message);
        await this.#closeHandle();
      }
    }
    this.#working = null;
  }

  #takeBatch(): Buffer[] {
    let bytes = 0;
    let count = 0;
    for (const line of this.#pending) {
      if (count > 0 && bytes + line.length > Math.min(BATCH_BYTES, this.#fileBytes - 1)) break;
      bytes += line.length;
      count++;
    }
    this.#pendingBytes -= bytes;
    return this.#pending.splice(0, count);
  }

  async #append(batch: Buffer[]): Promise<void> {
    await this.#forgetRemovedFile();
    const handle = this.#handle ?? (await this.#openNewest());
    const bytes = Buffer.concat(this.#torn ? [Buffer.from('\n'), ...batch] : batch);
    const target = this.#size + bytes.length > this.#fileBytes ? await this.#roll() : handle;
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await target.write(bytes, written).catch((error: unknown) => {
        if (written > 0) this.#torn = true;
        throw error;
      });
      written += bytesWritten;
      this.#size += bytesWritten;
    }
    this.#torn = false;
  }

  /** Goes on in the newest file of an earlier run. */
  async #openNewest(): Promise<FileHandle> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await chmod(this.#dir, 0o700);
    const newest = (await listLogFiles(this.#dir)).at(-1);
    this.#number = newest?.number ?? 1;
    return this.#open();
  }

  async #roll(): Promise<FileHandle> {
    await this.#closeHandle();
    this.#number++;
    return this.#open();
  }

  async #open(): Promise<FileHandle> {
    await this.#makeRoom();
    const handle = await open(logFilePath(this.#dir, this.#number), 'a+', 0o600);
    try {
      const found = await handle.stat();
      if (found.isFile()) await handle.chmod(0o600);
      this.#size = found.size;
      this.#torn = await endsInHalfALine(handle, this.#size);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    this.#checkedAt = this.#now();
    return handle;
  }

  /** Removes the oldest files until the current one can grow to its full size within the budget. */
  async #makeRoom(): Promise<void> {
    const older = (await listLogFiles(this.#dir)).filter((file) => file.number !== this.#number);
    const sizes = await Promise.all(older.map(async (file) => (await stat(file.path)).size));
    let total = sizes.reduce((sum, size) => sum + size, 0);
    for (const [index, file] of older.entries()) {
      if (total + this.#fileBytes <= this.#maxBytes) break;
      await unlink(file.path);
      total -= sizes[index] ?? 0;
    }
  }

  /** Somebody tidied the folder: writing on into an unlinked file would lose lines unseen. */
  async #forgetRemovedFile(): Promise<void> {
    if (this.#handle === null || this.#now() - this.#checkedAt < PRESENCE_CHECK_MS) return;
    this.#checkedAt = this.#now();
    const mine = await this.#handle.stat();
    const there = await stat(logFilePath(this.#dir, this.#number)).catch(() => null);
    if (there?.ino !== mine.ino) await this.#closeHandle();
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => undefined);
  }

  #drop(lines: number, reason: string): void {
    this.#dropped += lines;
    this.#droppedTotal += lines;
    this.#reason = reason;
  }

  #recovered(): void {
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#onRecovered(dropped, this.#reason);
  }
}

async function endsInHalfALine(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false;
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return bytesRead === 1 && buffer[0] !== 10;
}
