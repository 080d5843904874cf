import { close, openSync, unlinkSync, write, writeSync } from 'node:fs';
import { encodeFrame } from '../../ipc/frames';
import type { RecordSink } from '../snapshot';

/** Records of so long a time, ms, are written at once: what is a write of its own costs more than what is in it. */
const BATCH_MS = 10;
/** From this size on the copy waits for the disk, bytes. */
const HIGH_WATER_BYTES = 512 * 1024;
/** The disk does not keep up: the checkpoint is given up, bytes. */
const MAX_BACKLOG_BYTES = 32 * 1024 * 1024;

/** A file (0600) to which records are appended without ever making the bot wait. */
export class CheckpointFile implements RecordSink {
  bytes = 0;
  #fd: number | null;
  #pending: string[] = [];
  #pendingLength = 0;
  #writing = false;
  #timer: NodeJS.Timeout | null = null;
  #idle: (() => void)[] = [];

  /**
   * @param seal makes the record that ends each batch; null: none is needed
   * @throws the error of the file system
   */
  constructor(
    readonly path: string,
    private readonly seal: () => object | null,
    private readonly onError: (error: Error) => void,
  ) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  add(record: object): boolean {
    const line = encodeFrame(record);
    this.#pending.push(line);
    this.#pendingLength += line.length;
    this.schedule();
    return this.#pendingLength > HIGH_WATER_BYTES;
  }

  /** There is something to seal, soon. */
  schedule(): void {
    if (this.#fd !== null) this.#timer ??= setTimeout(() => this.#write(), BATCH_MS).unref();
  }

  /** Resolves when all that was added is written. @throws when it has been given up */
  async flush(): Promise<void> {
    this.#write();
    if (this.#writing) await new Promise<void>((resolve) => this.#idle.push(resolve));
    if (this.#fd === null) throw new Error('the checkpoint was given up');
  }

  /** The process ends now: what is left is written in this turn. */
  writeNow(): void {
    if (this.#fd === null) return;
    try {
      writeSync(this.#fd, this.#take());
    } catch {
      // what is not written will be replayed
    }
  }

  /** Removes the file at once: a checkpoint that does not go on would bring back what has been done already. */
  discard(): void {
    const fd = this.#fd;
    if (fd === null) return;
    this.#fd = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#pending = [];
    try {
      unlinkSync(this.path);
    } catch {
      // its folder is gone
    }
    if (!this.#writing) close(fd, () => undefined);
    this.#settle();
  }

  #take(): string {
    const seal = this.seal();
    if (seal !== null) this.#pending.push(encodeFrame(seal));
    const text = this.#pending.join('');
    this.#pending = [];
    this.#pendingLength = 0;
    return text;
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const fd = this.#fd;
    if (fd === null || this.#writing) return;
    const text = this.#take();
    if (text === '') return this.#settle();
    this.#writing = true;
    this.#writeAll(fd, Buffer.from(text));
  }

  #writeAll(fd: number, bytes: Buffer): void {
    write(fd, bytes, 0, bytes.length, null, (error, written) => {
      if (this.#fd === null) {
        this.#writing = false;
        return close(fd, () => undefined);
      }
      if (error === null && written < bytes.length) return this.#writeAll(fd, bytes.subarray(written));
      this.#writing = false;
      this.bytes += bytes.length;
      if (error !== null || this.#pendingLength > MAX_BACKLOG_BYTES) {
        this.discard();
        return this.onError(error ?? new Error('the disk is too slow'));
      }
      if (this.#pendingLength > 0) this.schedule();
      this.#settle();
    });
  }

  #settle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
