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
  /** @throws Error when there is none */
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
