import { closeSync, openSync, type FSWatcher, watch } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';

export type OutputStream = 'out' | 'err';

/** One line that a bot wrote. `fields`: its JSON object, when it was one (pino, winston, …). */
export interface OutputLine {
  stream: OutputStream;
  text: string;
  fields: Record<string, unknown> | null;
}

export interface OutputTailOptions {
  file: string;
  stream: OutputStream;
  /** Bytes of the file that an earlier supervisor has read already. */
  offset: number;
  onLine: (line: OutputLine) => void;
  /** The file is longer than `ROTATE_BYTES` and all of it is read: ask the agent to empty it. */
  onFull: (consumed: number) => void;
  /** Lines were dropped, since the bot writes faster than they can be read. */
  onSkipped: (bytes: number) => void;
}

/** A file beyond this size is emptied as soon as it is read. */
const ROTATE_BYTES = 8 * 1024 * 1024;
/** More unread bytes than this are skipped, or a flood would fill the disk while we read. */
const MAX_BACKLOG_BYTES = 64 * 1024 * 1024;
/** A longer line is cut. */
const MAX_LINE_CHARS = 64 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** While the agent is asked to empty the file nothing is read; an agent that does not answer is not waited for longer, ms. */
const ROTATE_TIMEOUT_MS = 5_000;
/** File notifications can be lost (network file systems, exhausted watches); then this interval carries on, ms. */
const POLL_MS = 1_000;

/**
 * Follows one output file of a cluster. A file, not a pipe: the cluster must neither die of EPIPE nor block when the
 * supervisor is gone or slow.
 */
export class OutputTail {
  #offset: number;
  #handle: FileHandle | null = null;
  #decoder = new StringDecoder('utf8');
  #partial = '';
  #reading: Promise<void> | null = null;
  #again = false;
  #watcher: FSWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;
  #pausedUntil = 0;

  constructor(private readonly options: OutputTailOptions) {
    this.#offset = options.offset;
  }

  /** Bytes of the file that were read so far. */
  get offset(): number {
    return this.#offset;
  }

  start(): void {
    closeSync(openSync(this.options.file, 'a', 0o600));
    try {
      this.#watcher = watch(this.options.file, { persistent: false }, () => this.#poke());
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      this.#watcher = null; // out of watches: the interval below is enough
    }
    this.#timer = setInterval(() => this.#poke(), POLL_MS).unref();
    this.#poke();
  }

  /** Reads what is there, hands on an unfinished last line, and stops. */
  async stop(): Promise<void> {
    this.#watcher?.close();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#pausedUntil = 0;
    await this.flush();
    if (this.#partial !== '') this.#emit(this.#partial);
    this.#partial = '';
    await this.#handle?.close();
    this.#handle = null;
  }

  /** Resolves when everything that is in the file now has been handed on. */
  async flush(): Promise<void> {
    await this.#reading;
    this.#poke();
    await this.#reading;
  }

  /** The agent emptied the file; `tail` is what it held beyond our offset. */
  rotated(ok: boolean, tail: string): void {
    const inTime = Date.now() < this.#pausedUntil;
    this.#pausedUntil = 0;
    if (ok) {
      if (inTime) this.#take(Buffer.from(tail, 'base64'));
      this.#offset = 0;
    }
    this.#poke();
  }

  #poke(): void {
    if (Date.now() < this.#pausedUntil) return;
    if (this.#reading !== null) {
      this.#again = true;
      return;
    }
    this.#reading = this.#read()
      .catch(() => undefined) // the file went away with its cluster, or the disk fails: the next poke tries again
      .finally(() => {
        this.#reading = null;
        if (!this.#again) return;
        this.#again = false;
        this.#poke();
      });
  }

  async #read(): Promise<void> {
    this.#handle ??= await open(this.options.file, 'r');
    let { size } = await this.#handle.stat();
    if (size < this.#offset) this.#offset = 0; // emptied by an agent that had no supervisor
    if (size - this.#offset > MAX_BACKLOG_BYTES) {
      const skip = size - this.#offset - CHUNK_BYTES;
      this.#offset += skip;
      this.#partial = '';
      this.options.onSkipped(skip);
    }
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, size - this.#offset)));
    while (this.#offset < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) break;
      this.#offset += bytesRead;
      this.#take(buffer.subarray(0, bytesRead));
      if (this.#offset >= size) ({ size } = await this.#handle.stat());
    }
    if (this.#offset > ROTATE_BYTES) {
      this.#pausedUntil = Date.now() + ROTATE_TIMEOUT_MS;
      this.options.onFull(this.#offset);
    }
  }

  #take(bytes: Buffer): void {
    const lines = (this.#partial + this.#decoder.write(bytes)).split('\n');
    this.#partial = lines.pop() ?? '';
    if (this.#partial.length > MAX_LINE_CHARS) {
      lines.push(this.#partial);
      this.#partial = '';
    }
    for (const line of lines) this.#emit(line);
  }

  #emit(raw: string): void {
    const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (text.trim() === '') return;
    this.options.onLine({
      stream: this.options.stream,
      text: text.length > MAX_LINE_CHARS ? `${text.slice(0, MAX_LINE_CHARS)}… (cut, ${text.length} characters)` : text,
      fields: parseObject(text),
    });
  }
}

function parseObject(text: string): Record<string, unknown> | null {
  if (!text.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
