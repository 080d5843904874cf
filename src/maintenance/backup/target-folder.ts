import { createReadStream, createWriteStream } from 'node:fs';
import { access, constants, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { BackupError, type BackupTarget, MissingFileError, type StoredFile } from './target';

const PART = '.part';

/** Backups in a folder that only its owner can enter; each file is 0600. */
export class FolderTarget implements BackupTarget {
  constructor(private readonly dir: string) {}

  get address(): string {
    return this.dir;
  }

  async write(path: string, source: Readable, signal: AbortSignal): Promise<void> {
    const file = join(this.dir, path);
    const temp = `${file}${PART}`;
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await rm(temp, { force: true });
      await pipeline(source, createWriteStream(temp, { flags: 'wx', mode: 0o600, flush: true }), { signal });
      await rename(temp, file);
      await flushFolder(dirname(file));
    } catch (cause) {
      await rm(temp, { force: true }).catch(() => undefined);
      await rmdir(dirname(file)).catch(() => undefined); // not when there is anything else in it
      throw explained(cause, this.dir);
    }
  }

  async read(path: string): Promise<Readable> {
    const file = join(this.dir, path);
    await access(file, constants.R_OK).catch((cause: unknown) => {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT') throw new MissingFileError(`there is no ${file}`, { cause });
      throw new BackupError(
        `${file} cannot be read (${code ?? String(cause)}).`,
        'See to it that botctl may read it.',
        { cause },
      );
    });
    return createReadStream(file, { highWaterMark: 1024 * 1024 });
  }

  async list(): Promise<StoredFile[]> {
    const names = await readdir(this.dir, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    });
    const files = names.filter((entry) => entry.isFile());
    return Promise.all(
      files.map(async ({ parentPath, name }) => {
        const file = join(parentPath, name);
        return { path: file.slice(this.dir.length + 1).replaceAll(sep, '/'), bytes: (await stat(file)).size };
      }),
    );
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) await rm(join(this.dir, path), { force: true });
    for (const dir of new Set(paths.map((path) => dirname(join(this.dir, path))))) {
      await rmdir(dir).catch(() => undefined);
    }
  }

  localPath(path: string): string {
    return join(this.dir, path);
  }
}

/** So that the renamed file is there after a power cut. */
async function flushFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function explained(cause: unknown, dir: string): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const message = `The disk under ${dir} is full: the backup was given up, older ones are untouched.`;
    return new BackupError(message, 'Free space there, keep fewer backups (backup.keep), or set backup.dir.', {
      cause,
    });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new BackupError(`The folder ${dir} cannot be written (${code}).`, 'Set backup.dir to another folder.', {
      cause,
    });
  }
  return cause;
}
