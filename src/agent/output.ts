import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

export type OutputStream = 'out' | 'err';

/** More than this beyond what was read is not carried in a frame, bytes. */
const MAX_TAIL_BYTES = 4 * 1024 * 1024;

/**
 * Empties the file that this process's stdout or stderr is written to, when the supervisor has read all but the tail.
 * In one synchronous step: nothing can be written in between, since this thread is who writes.
 */
export function rotateOutput(dir: string, stream: OutputStream, consumed: number): { ok: boolean; tail: string } {
  let fd: number | null = null;
  try {
    fd = openSync(join(dir, `${stream}.log`), 'r+');
    const length = fstatSync(fd).size - consumed;
    if (length < 0 || length > MAX_TAIL_BYTES) return { ok: false, tail: '' };
    const tail = Buffer.alloc(length);
    const read = length === 0 ? 0 : readSync(fd, tail, 0, length, consumed);
    ftruncateSync(fd, 0);
    return { ok: true, tail: tail.toString('base64', 0, read) };
  } catch {
    return { ok: false, tail: '' };
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** While nobody reads them, the files may not fill the disk: beyond `maxBytes` they are emptied. */
export function boundOutput(dir: string, maxBytes: number): void {
  for (const stream of ['out', 'err']) {
    try {
      const fd = openSync(join(dir, `${stream}.log`), 'r+');
      if (fstatSync(fd).size > maxBytes) ftruncateSync(fd, 0);
      closeSync(fd);
    } catch {
      // no file, no bound
    }
  }
}
