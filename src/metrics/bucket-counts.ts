import { BOUNDS, BUCKETS, bucketValue } from '../ipc/bucket-scale';

const STEP = 32;

/** Counts per bucket. Only the part of the scale that was ever used takes memory. */
export class BucketCounts {
  /** Sum of the values counted, as far as it is known. */
  sum = 0;
  #first = 0;
  #counts = EMPTY;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  get bytes(): number {
    return this.#counts.byteLength;
  }

  at(bucket: number): number {
    return this.#counts[bucket - this.#first] ?? 0;
  }

  add(bucket: number, count: number): void {
    if (!(bucket >= 0 && bucket < BUCKETS) || count === 0) return;
    this.#reach(bucket);
    this.#counts[bucket - this.#first] = this.at(bucket) + count;
    this.#total += count;
  }

  addAll(other: BucketCounts): void {
    other.forEach((bucket, count) => this.add(bucket, count));
    this.sum += other.sum;
  }

  /** Keeps its memory. */
  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.sum = 0;
  }

  /** Buckets that hold something, from the lowest. */
  forEach(visit: (bucket: number, count: number) => void): void {
    for (let index = 0; index < this.#counts.length; index++) {
      const count = this.#counts[index] as number;
      if (count !== 0) visit(index + this.#first, count);
    }
  }

  /** The value below which a share `q` of all values lies; NaN when there is none. */
  quantile(q: number): number {
    if (this.#total === 0) return NaN;
    const rank = Math.max(1, Math.ceil(q * this.#total));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index] as number;
      if (seen >= rank) return bucketValue(index + this.#first);
    }
    return NaN;
  }

  /** The least and the greatest value that are possible for what was counted. */
  get range(): [min: number, max: number] {
    let min = NaN;
    let max = NaN;
    this.forEach((bucket) => {
      if (Number.isNaN(min)) min = BOUNDS[bucket - 1] ?? 0;
      max = BOUNDS[bucket] ?? Infinity;
    });
    return [min, max];
  }

  #reach(bucket: number): void {
    const end = this.#first + this.#counts.length;
    if (bucket >= this.#first && bucket < end) return;
    const used = this.#counts.length > 0;
    const first = Math.floor((used ? Math.min(bucket, this.#first) : bucket) / STEP) * STEP;
    const last = Math.max(bucket + 1, used ? end : 0);
    const counts = new Float64Array(Math.ceil((last - first) / STEP) * STEP);
    counts.set(this.#counts, used ? this.#first - first : 0);
    this.#first = first;
    this.#counts = counts;
  }
}

const EMPTY = new Float64Array(0);
