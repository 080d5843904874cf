import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Sync } from './durable-file';
import { isNoRoom, syncFolder, writeAll } from './durable-file';
import type { Entry } from './entry';

const REWRITE_BYTES = 1024 * 1024;

/** One file of a journal. Only the newest one is open and grows. */
export class Segment {
  /** Entries in it that are not settled, in order. */
  readonly live = new Map<string, Entry>();
  /** It holds what could not be read nor set aside: neither to be written anew nor removed. */
  pinned = false;
  #liveBytes = 0;
  #failure: unknown = null;
  #size: number;
  #handle: FileHandle | null;

  /** @param size bytes; `handle` is there in the file that grows */
  constructor(
    readonly path: string,
    private readonly sync: Sync,
    { size, handle = null }: { size: number; handle?: FileHandle | null },
  ) {
    this.#size = size;
    this.#handle = handle;
  }

  static async create(path: string, sync: Sync): Promise<Segment> {
    const handle = await open(path, 'wx', 0o600);
    try {
      await syncFolder(dirname(path));
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(path, { force: true });
      throw error;
    }
    return new Segment(path, sync, { size: 0, handle });
  }

  get bytes(): number {
    return this.#size;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Why it is not known what is on disk; null when it is. */
  get failure(): unknown {
    return this.#failure;
  }

  add(entry: Entry): void {
    this.live.set(entry.id, entry);
    this.#liveBytes += entry.record.length;
  }

  settle(id: string): void {
    const entry = this.live.get(id);
    if (entry === undefined) return;
    this.live.delete(id);
    this.#liveBytes -= entry.record.length;
  }

  /**
   * Puts records at the end. False when it is not known what is on disk now: `rewrite` mends that.
   * @throws Error of the disk when there is no room; the file is as it was
   */
  async append(records: Buffer, durable: boolean): Promise<boolean> {
    const handle = this.#handle;
    if (handle === null) throw new Error('the journal is closed');
    if (this.#failure !== null) return false;
    try {
      await writeAll(handle, records, this.#size);
    } catch (error) {
      if (isNoRoom(error) && (await this.#cutOff(handle))) throw error;
      this.#failure = error;
      return false;
    }
    try {
      if (durable) await this.sync(handle);
    } catch (error) {
      // The pages may be gone: trying again would report success for nothing.
      this.#failure = error;
      return false;
    }
    this.#size += records.length;
    return true;
  }

  /** Replaces the file by one that holds the live entries and `more`; durable, or as before. @throws Error of the disk */
  async rewrite(more: readonly Buffer[] = []): Promise<void> {
    const temporary = `${this.path}.tmp`;
    await rm(temporary, { force: true });
    const handle = await open(temporary, 'wx', 0o600);
    let size = 0;
    try {
      for (const chunk of chunks([...Array.from(this.live.values(), ({ record }) => record), ...more])) {
        await writeAll(handle, chunk, size);
        size += chunk.length;
      }
      await this.sync(handle);
      await rename(temporary, this.path);
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    const old = this.#handle;
    this.#handle = old === null ? null : handle;
    this.#size = size;
    await (old ?? handle).close().catch(() => undefined);
    try {
      await syncFolder(dirname(this.path));
      this.#failure = null;
    } catch (error) {
      this.#failure = error; // its new name may not be durable
      throw error;
    }
  }

  /** Empties the open file; nothing in it may be live. @throws Error of the disk */
  async clear(): Promise<void> {
    await this.#handle?.truncate(0);
    this.#size = 0;
  }

  /** No more records: it is one of the older ones now. */
  async seal(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => undefined);
  }

  async #cutOff(handle: FileHandle): Promise<boolean> {
    return handle.truncate(this.#size).then(
      () => true,
      () => false,
    );
  }
}

function* chunks(records: Iterable<Buffer>): Generator<Buffer> {
  let chunk: Buffer[] = [];
  let bytes = 0;
  for (const record of records) {
    chunk.push(record);
    bytes += record.length;
    if (bytes < REWRITE_BYTES) continue;
    yield Buffer.concat(chunk, bytes);
    chunk = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(chunk, bytes);
}
