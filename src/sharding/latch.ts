import { readFileSync, rmSync, writeFileSync } from 'node:fs';

export interface Latched {
  closeCode: number;
  message: string;
  /** Configuration under which it happened; another one deserves another try. */
  fingerprint: string;
  at: number;
}

/** Remembers a fatal cause over restarts of the supervisor, so that nothing restarts into it and burns identifies. */
export class FatalLatch {
  #latched: Latched | null;

  constructor(
    private readonly file: string,
    private readonly fingerprint: string,
  ) {
    this.#latched = this.#read();
  }

  get current(): Latched | null {
    return this.#latched;
  }

  set(closeCode: number, message: string, at: number): void {
    this.#latched = { closeCode, message, fingerprint: this.fingerprint, at };
    try {
      writeFileSync(this.file, JSON.stringify(this.#latched), { mode: 0o600 });
    } catch {
      // in memory it still holds for this run
    }
  }

  clear(): void {
    this.#latched = null;
    rmSync(this.file, { force: true });
  }

  #read(): Latched | null {
    try {
      const value = JSON.parse(readFileSync(this.file, 'utf8')) as Latched;
      return value.fingerprint === this.fingerprint && typeof value.message === 'string' ? value : null;
    } catch {
      return null;
    }
  }
}
