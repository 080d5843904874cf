import { BUCKETS } from '../ipc/bucket-scale';
import type { BucketCounts } from './bucket-counts';
import { BLOCK } from './block-pool';
import { HOURS, hourOf, slotOf } from './time-axis';

/** Bytes that the encoded histograms of a store take. */
export interface ByteLedger {
  bytes: number;
}

const FIRST_BYTES = 64;
const scratch = new DataView(new ArrayBuffer(4));

/**
 * The histograms of past minutes, each as its minute within the hour, its sum, and pairs of bucket and count, in as few
 * bytes as they need. A minute may occur twice: then it is the sum of both.
 */
export class HistogramHours {
  readonly #hours = new Array<Hour | null>(HOURS).fill(null);

  constructor(private readonly ledger: ByteLedger) {}

  append(minute: number, counts: BucketCounts): void {
    const slot = slotOf(hourOf(minute));
    const before = this.#hours[slot] ?? new Hour();
    const size = this.#hours[slot] === null ? 0 : before.capacity;
    before.append(minute % BLOCK, counts);
    this.#hours[slot] = before;
    this.ledger.bytes += before.capacity - size;
  }

  /** Calls `into` for each minute from..to (inclusive), which says where its counts are to be added. */
  read(from: number, to: number, into: (minute: number) => BucketCounts): void {
    for (let hour = hourOf(from); hour <= hourOf(to); hour++) {
      this.#hours[slotOf(hour)]?.read((index) => {
        const minute = hour * BLOCK + index;
        return minute >= from && minute <= to ? into(minute) : null;
      });
    }
  }

  /** An hour as it is kept, with one more minute if there is one; null: nothing. */
  dump(hour: number, open: { minute: number; counts: BucketCounts } | null): Uint8Array | null {
    const kept = this.#hours[slotOf(hour)] ?? null;
    if (kept === null && open === null) return null;
    const copy = new Hour();
    if (kept !== null) copy.concat(kept.bytes());
    if (open !== null) copy.append(open.minute % BLOCK, open.counts);
    return copy.bytes();
  }

  /** Puts back what `dump` gave, beside what is there by now. */
  load(hour: number, bytes: Uint8Array): void {
    const slot = slotOf(hour);
    const before = this.#hours[slot] ?? null;
    const into = before ?? new Hour();
    const size = before === null ? 0 : before.capacity;
    into.concat(bytes);
    this.#hours[slot] = into;
    this.ledger.bytes += into.capacity - size;
  }

  close(hour: number): void {
    const slot = slotOf(hour);
    const data = this.#hours[slot] ?? null;
    if (data === null) return;
    this.ledger.bytes -= data.capacity;
    data.trim();
    this.ledger.bytes += data.capacity;
  }

  drop(hour: number): void {
    const slot = slotOf(hour);
    this.ledger.bytes -= this.#hours[slot]?.capacity ?? 0;
    this.#hours[slot] = null;
  }
}

class Hour {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  get capacity(): number {
    return this.#bytes.byteLength;
  }

  append(index: number, counts: BucketCounts): void {
    this.#byte(index);
    scratch.setFloat32(0, counts.sum);
    for (let at = 0; at < 4; at++) this.#byte(scratch.getUint8(at));
    let last = 0;
    counts.forEach((bucket, count) => {
      // Never 0, so that 0 can end the list.
      this.#number(bucket - last + 1);
      this.#number(count);
      last = bucket;
    });
    this.#byte(0);
  }

  /** `into` gets the minute within the hour; null: it is not wanted. */
  read(into: (index: number) => BucketCounts | null): void {
    let at = 0;
    const number = (): number => {
      let value = 0;
      let factor = 1;
      for (;;) {
        const byte = this.#bytes[at++] as number;
        value += (byte & 0x7f) * factor;
        if (byte < 0x80) return value;
        factor *= 0x80;
      }
    };
    while (at < this.#length) {
      const counts = into(this.#bytes[at++] as number);
      for (let index = 0; index < 4; index++) scratch.setUint8(index, this.#bytes[at++] as number);
      if (counts !== null) counts.sum += scratch.getFloat32(0);
      let bucket = 0;
      for (let step = number(); step !== 0; step = number()) {
        bucket += step - 1;
        const count = number();
        if (bucket < BUCKETS) counts?.add(bucket, count);
      }
    }
  }

  trim(): void {
    this.#bytes = this.bytes();
  }

  /** A copy of what is written. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  concat(bytes: Uint8Array): void {
    for (const byte of bytes) this.#byte(byte);
  }

  #number(value: number): void {
    let left = value;
    while (left >= 0x80) {
      this.#byte((left % 0x80) + 0x80);
      left = Math.floor(left / 0x80);
    }
    this.#byte(left);
  }

  #byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(Math.max(FIRST_BYTES, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = value;
  }
}
