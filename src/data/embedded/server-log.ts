import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

/** The server's log is moved aside when it is larger, bytes. */
const MAX_BYTES = 8 * 1024 * 1024;
const TAIL_BYTES = 16 * 1024;

/** The file a server writes its output to. It outlives us, so it is a file and no pipe. */
export class ServerLog {
  constructor(readonly file: string) {}

  /** A descriptor to hand to the server; the caller closes its own copy. */
  open(): number {
    return openSync(this.file, 'a', 0o600);
  }

  /** Keeps the file and one older one within bounds. The server appends, so cutting beneath it is safe. */
  bound(): void {
    try {
      if (this.size() <= MAX_BYTES) return;
      copyFileSync(this.file, `${this.file}.1`);
      truncateSync(this.file);
    } catch {
      // a full disk: cutting is tried again later
    }
  }

  size(): number {
    try {
      return statSync(this.file).size;
    } catch {
      return 0;
    }
  }

  /** Last lines written after `offset` (bytes), joined; empty when there are none. */
  tail(offset = 0, lines = 5): string {
    try {
      const size = this.size();
      const from = Math.max(size < offset ? 0 : offset, size - TAIL_BYTES);
      const buffer = Buffer.alloc(size - from);
      const fd = openSync(this.file, 'r');
      try {
        readSync(fd, buffer, 0, buffer.length, from);
      } finally {
        closeSync(fd);
      }
      return buffer
        .toString('utf8')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .slice(-lines)
        .join(' | ');
    } catch {
      return '';
    }
  }
}
