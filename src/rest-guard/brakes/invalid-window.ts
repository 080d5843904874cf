/** The time over which Discord counts, ms. */
export const WINDOW_MS = 10 * 60_000;
const SLOT_MS = 10_000;
const SLOTS = WINDOW_MS / SLOT_MS;

/** Counts over the last ten minutes, in steps of ten seconds, rounded so that nothing is forgotten too early. */
export class SlidingCount {
  readonly #slots: number[] = [];
  #first = 0;
  #total = 0;

  add(now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    this.#expire(slot);
    const at = slot - this.#first;
    while (this.#slots.length <= at) this.#slots.push(0);
    this.#slots[at] = (this.#slots[at] ?? 0) + 1;
    this.#total++;
  }

  total(now: number): number {
    this.#expire(Math.floor(now / SLOT_MS));
    return this.#total;
  }

  clear(): void {
    this.#slots.length = 0;
    this.#total = 0;
  }

  #expire(slot: number): void {
    if (this.#slots.length === 0) this.#first = slot;
    while (this.#slots.length > 0 && this.#first < slot - SLOTS) {
      this.#total -= this.#slots.shift() ?? 0;
      this.#first++;
    }
    if (this.#slots.length === 0) this.#first = slot;
  }
}
