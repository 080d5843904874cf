/** A seeded source of random choices (mulberry32): a failing seed fails again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from low to high, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }

  some<T>(values: readonly T[], probability: number): T[] {
    return values.filter(() => this.chance(probability));
  }

  list<T>(low: number, high: number, make: (index: number) => T): T[] {
    return Array.from({ length: this.int(low, high) }, (_, index) => make(index));
  }

  /** The value, or null. */
  orNull<T>(value: T): T | null {
    return this.chance(0.4) ? null : value;
  }

  /** Leaves some of the given fields out. */
  optional(fields: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(Object.entries(fields).filter(() => this.chance(0.6)));
  }

  bits64(): string {
    const high = BigInt(this.int(0, 2 ** 21));
    return ((high << 32n) | BigInt(this.int(0, 2 ** 32 - 1))).toString();
  }

  text(): string {
    const words = [
      'plain',
      'Grüße',
      '日本語',
      '👩‍👩‍👧',
      'a"quote"',
      'line\nbreak',
      '\u2028',
      '\u0000',
      '٣',
      '{"k":"footer"}',
    ];
    return this.list(1, 3, () => this.pick(words)).join(' ');
  }

  hash(): string {
    return (
      (this.chance(0.2) ? 'a_' : '') +
      this.int(0, 2 ** 32 - 1)
        .toString(16)
        .padStart(8, '0')
    );
  }

  time(): string {
    const at = new Date(Date.UTC(2016, 0, 1) + this.int(0, 3e11));
    // Discord writes microseconds.
    return at.toISOString().replace('Z', `${this.int(100, 999)}+00:00`);
  }
}
