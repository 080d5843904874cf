/** Bound on what may wait, by number and by length of records in bytes. */
export class Allowance {
  #entries = 0;
  #bytes = 0;

  constructor(
    private readonly maxEntries: number,
    private readonly maxBytes: number,
  ) {}

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when it would be too much; nothing is taken then. */
  take(bytes: number): boolean {
    if (this.#entries + 1 > this.maxEntries || this.#bytes + bytes > this.maxBytes) return false;
    this.force(bytes);
    return true;
  }

  /** For what is there already, such as the entries of a journal that was taken over. */
  force(bytes: number): void {
    this.#entries += 1;
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#entries -= 1;
    this.#bytes -= bytes;
  }
}
