import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import bytes from 'bytes';
import type { HealthCheck, Reading } from '../check';

export interface DiskCheckOptions {
  /** The state folder. */
  dir: string;
  /** Space that must be left, bytes; on a small disk it is a tenth of it. */
  minFreeBytes: number;
}

const SMALL_SHARE = 0.1;
/** Files that can still be made, as a share: a disk may run out of those first. */
const MIN_FREE_FILES = 0.01;
const PROBE_FILE = 'health-probe';
const PROBE_BYTES = 4_096;

/** Is there room in the state folder, and can it be written to? A disk that went read-only still tells its free space. */
export class DiskCheck implements HealthCheck {
  readonly name = 'disk';
  readonly scope = { kind: 'host' } as const;

  constructor(private readonly options: DiskCheckOptions) {}

  async look(): Promise<Reading[]> {
    const { dir, minFreeBytes } = this.options;
    const disk = await statfs(dir);
    const total = disk.blocks * disk.bsize;
    const free = disk.bavail * disk.bsize;
    const needed = Math.min(minFreeBytes, total * SMALL_SHARE);
    const left = `${text(free)} of ${text(total)} free`;
    const filesLeft = disk.files === 0 ? 1 : disk.ffree / disk.files;
    if (free < needed) return [this.#reading(false, `${left}, ${text(needed)} are needed`)];
    if (filesLeft < MIN_FREE_FILES) return [this.#reading(false, `${disk.ffree} more files can be made (inodes)`)];
    await writeProbe(join(dir, PROBE_FILE));
    return [this.#reading(true, left)];
  }

  #reading(ok: boolean, message: string): Reading {
    return { scope: this.scope, ok, message };
  }
}

async function writeProbe(file: string): Promise<void> {
  try {
    const handle = await open(file, 'w', 0o600);
    try {
      await handle.writeFile(Buffer.alloc(PROBE_BYTES));
      await handle.datasync();
    } finally {
      await handle.close();
    }
  } finally {
    await rm(file, { force: true });
  }
}

function text(value: number): string {
  return bytes.format(value, { unitSeparator: ' ', decimalPlaces: 1 }) ?? '?';
}
