import { BUCKETS, bucketOf } from '../../ipc/bucket-scale';
import type { Labels, ScalarReading, SketchReading } from '../../ipc/readings';

/** A number that only grows. */
export class Counter {
  #value = 0;
  #sent = -1;

  add(count = 1): void {
    this.#value += count;
  }

  read(name: string, labels: Labels | undefined): ScalarReading | null {
    if (this.#value === this.#sent) return null;
    this.#sent = this.#value;
    return scalar(name, labels, this.#value);
  }

  resend(): void {
    this.#sent = -1;
  }
}

/** A number as it is at the moment. */
export class Gauge {
  value = NaN;

  read(name: string, labels: Labels | undefined): ScalarReading | null {
    return Number.isFinite(this.value) ? scalar(name, labels, this.value) : null;
  }
}

/** How often values fell into which bucket. */
export class Sketch {
  readonly #counts = new Float64Array(BUCKETS);
  readonly #changed = new Set<number>();
  #sum = 0;

  record(value: number): void {
    const bucket = bucketOf(value);
    if (bucket === -1) return;
    this.#counts[bucket] = this.#at(bucket) + 1;
    this.#changed.add(bucket);
    // An infinite value would make every later sum infinite.
    if (Number.isFinite(value)) this.#sum += value;
  }

  read(name: string, labels: Labels | undefined): SketchReading | null {
    if (this.#changed.size === 0) return null;
    const buckets: number[] = [];
    for (const bucket of this.#changed) buckets.push(bucket, this.#at(bucket));
    this.#changed.clear();
    return { name, ...(labels !== undefined && { labels }), sum: this.#sum, buckets };
  }

  resend(): void {
    this.#counts.forEach((count, bucket) => {
      if (count > 0) this.#changed.add(bucket);
    });
  }

  #at(bucket: number): number {
    return this.#counts[bucket] ?? 0;
  }
}

function scalar(name: string, labels: Labels | undefined, value: number): ScalarReading {
  return labels === undefined ? { name, value } : { name, labels, value };
}
