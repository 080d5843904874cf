import type { Readable } from 'node:stream';

export interface StoredFile {
  /** `<backup>/<file>`. */
  path: string;
  bytes: number;
}

/** A place for backups: a folder, or a bucket. */
export interface BackupTarget {
  /** For people. */
  readonly address: string;
  /** The file is whole and durable when this resolves; nothing is left of it when it rejects. */
  write(path: string, source: Readable, signal: AbortSignal): Promise<void>;
  /** @throws MissingFileError when there is none, BackupError when the place cannot be used */
  read(path: string): Promise<Readable>;
  list(): Promise<StoredFile[]>;
  remove(paths: readonly string[]): Promise<void>;
  /** Where the file lies on this machine; null: elsewhere. */
  localPath(path: string): string | null;
}

/** What went wrong with a backup: one sentence, and what to do about it. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  constructor(
    message: string,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The files are not those that were written: whoever reads them again meets the same. */
export class DamagedError extends BackupError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'Use another backup. See: botctl backup list', options);
  }
}

/** The place can be used, but it has no such file. */
export class MissingFileError extends Error {
  override readonly name = 'MissingFileError';
}
