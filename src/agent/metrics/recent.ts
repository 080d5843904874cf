/**
 * When the last so many ids came. Two generations instead of one expiry per entry: an id is known for at least `keepMs`
 * and at least `size` further ids, whichever ends first, and at most twice that.
 */
export class Recent {
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  #since: number;

  constructor(
    private readonly keepMs: number,
    private readonly size: number,
    now: number,
  ) {
    this.#since = now;
  }

  add(id: string, now: number): void {
    if (this.#young.size >= this.size || now - this.#since > this.keepMs) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#since = now;
    }
    this.#young.set(id, now);
  }

  /** The time of an id, which is then forgotten; undefined when it is not known. */
  take(id: string): number | undefined {
    const generation = this.#young.has(id) ? this.#young : this.#old;
    const at = generation.get(id);
    generation.delete(id);
    return at;
  }
}
