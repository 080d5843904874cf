import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';

/** Makes what was written to a file durable; tests put a failing disk in its place. */
export type Sync = (handle: FileHandle) => Promise<void>;

export const fdatasync: Sync = (handle) => handle.datasync();

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export function isNoRoom(error: unknown): boolean {
  return NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Makes created, renamed and removed names durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes all of the bytes, which one write() need not. */
export async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
