import type { Writable } from 'node:stream';

/** Bytes that may wait for a reader who does not read; lines on top are dropped instead of filling the memory. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Where a log goes that somebody may be looking at: survives a reader who leaves (EPIPE) or stops reading. */
export class LineOutput {
  #gone = false;
  #dropped = 0;

  constructor(private readonly stream: Writable) {
    stream.on('error', () => (this.#gone = true));
  }

  /** Lines that the reader did not take. */
  get dropped(): number {
    return this.#dropped;
  }

  write(text: string): void {
    if (this.#gone || this.stream.destroyed || this.stream.writableLength > MAX_WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    try {
      this.stream.write(text);
    } catch {
      // a file on a full disk: Node throws, and the stream is of no use afterwards
      this.#gone = true;
      this.#dropped++;
    }
  }

  /** Resolves when the reader has everything, or after `timeoutMs`, or at once when it is gone. */
  async flush(timeoutMs = 1000): Promise<void> {
    if (this.#gone || this.stream.destroyed || this.stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.stream.write('', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
