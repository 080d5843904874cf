import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { DeployError } from '../deploy-error';
import type { TreeEntry } from './tree';

export interface CopyOptions {
  from: string;
  to: string;
  /** A tree of earlier releases; what was installed for it and is the same is linked from there. */
  earlier: string | null;
  /** false: something will run in the copy and may edit it in place, so that nothing may be linked to it. */
  link: boolean;
  onProgress: (done: number, of: number) => void;
}

/** How many files came by which way, and what the copy takes on disk beyond what was there, bytes. */
export interface CopyResult {
  copied: number;
  linked: number;
  bytes: number;
}

/** A file that changes while it is copied is tried so often. */
const ATTEMPTS = 3;
const PROGRESS_EVERY = 250;
const WRITE_BITS = 0o222;

/**
 * Copies a tree. Files of the bot are copied (as a reflink where the file system can): they may be edited in place
 * later. Installed packages are linked where possible: they are replaced, and there are many.
 * @throws DeployError when files change all the time, or the disk is full
 */
export function copyTree(entries: readonly TreeEntry[], options: CopyOptions): CopyResult {
  const result: CopyResult = { copied: 0, linked: 0, bytes: 0 };
  const copier = new Copier(options, result);
  entries.forEach((entry, index) => {
    if (index % PROGRESS_EVERY === 0) options.onProgress(index, entries.length);
    copier.copy(entry);
  });
  options.onProgress(entries.length, entries.length);
  return result;
}

class Copier {
  /** Found out at the first file; null: not yet. */
  #reflinks: boolean | null = null;

  constructor(
    private readonly options: CopyOptions,
    private readonly result: CopyResult,
  ) {}

  copy(entry: TreeEntry): void {
    const to = join(this.options.to, entry.path);
    try {
      switch (entry.kind) {
        case 'folder':
          mkdirSync(to, { recursive: true });
          return;
        case 'link':
          symlinkSync(entry.target, to);
          return;
        case 'file':
          if (!entry.installed || !this.#place(entry.path, entry.stats, to)) this.#copyStable(entry.path, to);
      }
    } catch (error) {
      throw describe(entry.path, error);
    }
  }

  /** An installed file without a copy of its bytes; false: there is no such way. */
  #place(path: string, stats: Stats, to: string): boolean {
    const { from, earlier, link } = this.options;
    if (link && earlier !== null && isSame(lstatSync(join(earlier, path), { throwIfNoEntry: false }), stats)) {
      if (tryLink(join(earlier, path), to)) return this.#linked();
    }
    if (this.#reflinks !== false && this.#tryReflink(join(from, path), to)) {
      utimesSync(to, stats.atime, stats.mtime);
      return this.#linked();
    }
    return link && tryLink(join(from, path), to) && this.#linked();
  }

  #linked(): true {
    this.result.linked++;
    return true;
  }

  #tryReflink(from: string, to: string): boolean {
    try {
      copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE);
      this.#reflinks = true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOSPC') throw error;
      this.#reflinks = false;
    }
    return this.#reflinks;
  }

  /** What was read must be one state of the file: it is compared before and after. */
  #copyStable(path: string, to: string): void {
    const from = join(this.options.from, path);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const before = lstatSync(from);
      if (attempt > 0) unlinkSync(to);
      copyFileSync(from, to, constants.COPYFILE_FICLONE);
      const after = lstatSync(from, { throwIfNoEntry: false });
      if (after === undefined || after.ino !== before.ino || !isSame(after, before)) continue;
      utimesSync(to, before.atime, before.mtime);
      chmodSync(to, before.mode & 0o777 & ~WRITE_BITS);
      this.result.copied++;
      this.result.bytes += before.size;
      return;
    }
    throw new DeployError(
      `${path} changes while it is copied`,
      'Stop what writes it, or name it in deploy.shared (what the bot writes) or .botctlignore',
    );
  }
}

function isSame(one: Stats | undefined, other: Stats): boolean {
  return (
    one?.isFile() === true && one.size === other.size && one.mtimeMs === other.mtimeMs && runs(one) === runs(other)
  );
}

function runs({ mode }: Stats): number {
  return mode & 0o555;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another file system, too many links, or a file of another user: it is copied.
    if (code === 'ENOSPC' || code === 'EEXIST') throw error;
    return false;
  }
}

function describe(path: string, error: unknown): unknown {
  if (error instanceof DeployError) return error;
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOSPC':
      return new DeployError('the disk is full', 'Free space, or set deploy.keep to fewer releases', { cause: error });
    case 'ENOENT':
      return new DeployError(`${path} went away while it was copied`, 'Stop what changes the folder, then try again', {
        cause: error,
      });
    default:
      return new DeployError(`${path} cannot be copied: ${(error as Error).message}`, undefined, { cause: error });
  }
}
