import { BLOCK, type BlockPool } from './block-pool';
import { HOURS, hourOf, slotOf } from './time-axis';

const EMPTY = -1;
const CONSTANT = -2;

/**
 * One number per minute for the last 25 hours. An hour without a value takes nothing, nor does a past hour in which all
 * minutes have the same value, as most hours of most series have.
 */
export class Column {
  readonly #blocks = new Int32Array(HOURS).fill(EMPTY);
  #constants: Float32Array | null = null;

  constructor(
    private readonly pool: BlockPool,
    /** What a minute has that was never written. */
    private readonly empty: number,
  ) {}

  get(minute: number): number {
    const slot = slotOf(hourOf(minute));
    const block = this.#blocks[slot] as number;
    if (block >= 0) return this.pool.get(block, minute % BLOCK);
    return block === CONSTANT ? this.#constant(slot) : this.empty;
  }

  set(minute: number, value: number): void {
    const slot = slotOf(hourOf(minute));
    let block = this.#blocks[slot] as number;
    if (block < 0) {
      const before = block === CONSTANT ? this.#constant(slot) : this.empty;
      if (Object.is(Math.fround(value), before)) return;
      this.#blocks[slot] = block = this.pool.take(before);
    }
    this.pool.set(block, minute % BLOCK, value);
  }

  /** The hour is over: what need not be kept is given back. */
  close(hour: number): void {
    const slot = slotOf(hour);
    const block = this.#blocks[slot] as number;
    if (block < 0) return;
    const constant = this.pool.constant(block);
    if (constant === undefined) return;
    this.pool.give(block);
    this.#constants ??= new Float32Array(HOURS);
    this.#constants[slot] = constant;
    this.#blocks[slot] = CONSTANT;
  }

  /** Forgets an hour. */
  drop(hour: number): void {
    const slot = slotOf(hour);
    const block = this.#blocks[slot] as number;
    if (block >= 0) this.pool.give(block);
    this.#blocks[slot] = EMPTY;
  }

  /** What is kept of an hour: a number where all its minutes have the same; null: nothing. */
  dump(hour: number): Float32Array | number | null {
    const slot = slotOf(hour);
    const block = this.#blocks[slot] as number;
    if (block >= 0) return this.pool.copy(block);
    return block === CONSTANT ? this.#constant(slot) : null;
  }

  /** Puts back what `dump` gave, beside what is there by now. */
  load(hour: number, values: Float32Array | number): void {
    for (let index = 0; index < BLOCK; index++) {
      const value = typeof values === 'number' ? values : (values[index] as number);
      if (!Object.is(value, this.empty)) this.set(hour * BLOCK + index, value);
    }
  }

  #constant(slot: number): number {
    return this.#constants?.[slot] ?? this.empty;
  }
}
