/** Values per block: the minutes of an hour. */
export const BLOCK = 60;

const BLOCKS_PER_SLAB = 4_096;
const BYTES_PER_BLOCK = BLOCK * Float32Array.BYTES_PER_ELEMENT;

/**
 * Blocks of 60 numbers, cut from large slabs: typed arrays of their own would cost nearly as much again. What is given
 * back is used again, so the memory does not grow once the oldest hours make room for the newest.
 */
export class BlockPool {
  readonly #slabs: Float32Array[] = [];
  readonly #free: number[] = [];
  #made = 0;

  /** Memory of the blocks in use. */
  get bytes(): number {
    return (this.#made - this.#free.length) * BYTES_PER_BLOCK;
  }

  /** A block in which every value is `value`. */
  take(value: number): number {
    const block = this.#free.pop() ?? this.#make();
    const start = offset(block);
    this.#slab(block).fill(value, start, start + BLOCK);
    return block;
  }

  give(block: number): void {
    this.#free.push(block);
  }

  get(block: number, index: number): number {
    return this.#slab(block)[offset(block) + index] as number;
  }

  set(block: number, index: number, value: number): void {
    this.#slab(block)[offset(block) + index] = value;
  }

  copy(block: number): Float32Array {
    return this.#slab(block).slice(offset(block), offset(block) + BLOCK);
  }

  /** The value that all 60 have, or undefined. */
  constant(block: number): number | undefined {
    const slab = this.#slab(block);
    const start = offset(block);
    const first = slab[start] as number;
    for (let index = start + 1; index < start + BLOCK; index++) if (!Object.is(slab[index], first)) return undefined;
    return first;
  }

  equal(one: number, other: number): boolean {
    for (let index = 0; index < BLOCK; index++) {
      if (!Object.is(this.get(one, index), this.get(other, index))) return false;
    }
    return true;
  }

  #make(): number {
    if (this.#made === this.#slabs.length * BLOCKS_PER_SLAB)
      this.#slabs.push(new Float32Array(BLOCKS_PER_SLAB * BLOCK));
    return this.#made++;
  }

  #slab(block: number): Float32Array {
    return this.#slabs[Math.floor(block / BLOCKS_PER_SLAB)] as Float32Array;
  }
}

function offset(block: number): number {
  return (block % BLOCKS_PER_SLAB) * BLOCK;
}
