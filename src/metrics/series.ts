import type { Labels } from '../ipc/readings';
import { BLOCK, type BlockPool } from './block-pool';
import { BucketCounts } from './bucket-counts';
import { Column } from './column';
import { HistogramHours, type ByteLedger } from './histogram-hours';
import { hourOf, minuteOf } from './time-axis';

/** What all series have. */
export interface Series {
  readonly labels: Labels;
  /** Minute of the first and of the latest value. */
  born: number;
  updated: number;
  /** Taken out of the store; whoever keeps it must ask for a new one. */
  removed: boolean;
  close(hour: number): void;
  drop(hour: number): void;
  /** What is kept of an hour; null: nothing. */
  dump(hour: number): SeriesHour | null;
  /** Puts back what `dump` gave. The totals stay what they are: they are those of this process. */
  load(hour: number, data: SeriesHour): void;
}

/** An hour of one series. */
export interface SeriesHour {
  /** Minutes of the first and of the latest value, as far as they lie in the hour. */
  born: number;
  updated: number;
  /** Of a counter one, of a gauge mean, least and greatest. */
  columns?: (Float32Array | number | null)[];
  /** Of a histogram, see histogram-hours.ts. */
  bytes?: Uint8Array;
}

/** A sum that grows, whatever its sources do. */
export class CounterSeries implements Series {
  removed = false;
  total = 0;
  updated: number;
  readonly increases: Column;

  constructor(
    readonly labels: Labels,
    public born: number,
    pool: BlockPool,
  ) {
    this.updated = born;
    this.increases = new Column(pool, 0);
  }

  add(increase: number, minute: number): void {
    this.born = Math.min(this.born, minute);
    this.updated = Math.max(this.updated, minute);
    if (!(increase > 0)) return;
    this.total += increase;
    this.increases.set(minute, this.increases.get(minute) + increase);
  }

  close(hour: number): void {
    this.increases.close(hour);
  }

  dump(hour: number): SeriesHour | null {
    return dumpColumns(this, hour, [this.increases]);
  }

  load(hour: number, data: SeriesHour): void {
    loadColumns(this, hour, [this.increases], data);
  }

  drop(hour: number): void {
    this.increases.drop(hour);
  }
}

/** A figure that goes up and down. Minutes without a value have NaN. */
export class GaugeSeries implements Series {
  removed = false;
  updated: number;
  /** The latest value and its time, ms since the epoch. */
  last = NaN;
  at = -Infinity;
  readonly mean: Column;
  /** null: only the mean is kept. */
  readonly min: Column | null;
  readonly max: Column | null;
  #minute = -1;
  #sum = 0;
  #count = 0;

  constructor(
    readonly labels: Labels,
    public born: number,
    pool: BlockPool,
    extremes: boolean,
  ) {
    this.updated = born;
    this.mean = new Column(pool, NaN);
    this.min = extremes ? new Column(pool, NaN) : null;
    this.max = extremes ? new Column(pool, NaN) : null;
  }

  set(value: number, at: number): void {
    const minute = minuteOf(at);
    if (at >= this.at) {
      this.last = value;
      this.at = at;
    }
    this.born = Math.min(this.born, minute);
    this.updated = Math.max(this.updated, minute);
    this.mean.set(minute, this.#meanWith(value, minute));
    extend(this.min, minute, value, Math.min);
    extend(this.max, minute, value, Math.max);
  }

  /** The value is known no more. */
  end(): void {
    this.last = NaN;
  }

  close(hour: number): void {
    for (const column of [this.mean, this.min, this.max]) column?.close(hour);
  }

  drop(hour: number): void {
    for (const column of [this.mean, this.min, this.max]) column?.drop(hour);
  }

  dump(hour: number): SeriesHour | null {
    return dumpColumns(this, hour, [this.mean, this.min, this.max]);
  }

  load(hour: number, data: SeriesHour): void {
    loadColumns(this, hour, [this.mean, this.min, this.max], data);
  }

  #meanWith(value: number, minute: number): number {
    if (minute < this.#minute) {
      // How many values made up a past minute is not known any more.
      const before = this.mean.get(minute);
      return Number.isNaN(before) ? value : (before + value) / 2;
    }
    if (minute > this.#minute) {
      this.#minute = minute;
      this.#sum = 0;
      this.#count = 0;
    }
    this.#sum += value;
    return this.#sum / ++this.#count;
  }
}

/** How values were distributed. */
export class HistogramSeries implements Series {
  removed = false;
  updated: number;
  /** Since the beginning. */
  readonly total = new BucketCounts();
  readonly #hours: HistogramHours;
  readonly #open = new BucketCounts();
  #minute: number;

  constructor(
    readonly labels: Labels,
    public born: number,
    ledger: ByteLedger,
  ) {
    this.updated = born;
    this.#minute = born;
    this.#hours = new HistogramHours(ledger);
  }

  add(increase: BucketCounts, minute: number): void {
    this.born = Math.min(this.born, minute);
    this.updated = Math.max(this.updated, minute);
    if (increase.total === 0) return;
    this.total.addAll(increase);
    if (minute < this.#minute) {
      this.#hours.append(minute, increase);
      return;
    }
    if (minute > this.#minute) this.#flush(minute);
    this.#open.addAll(increase);
  }

  /** Adds what was counted from..to (inclusive) to what `into` gives for each minute. */
  read(from: number, to: number, into: (minute: number) => BucketCounts): void {
    this.#hours.read(from, to, into);
    if (this.#open.total > 0 && this.#minute >= from && this.#minute <= to) into(this.#minute).addAll(this.#open);
  }

  close(hour: number): void {
    this.#flush((hour + 1) * BLOCK);
    this.#hours.close(hour);
  }

  drop(hour: number): void {
    this.#hours.drop(hour);
  }

  dump(hour: number): SeriesHour | null {
    const isOpen = hourOf(this.#minute) === hour && this.#open.total > 0;
    const bytes = this.#hours.dump(hour, isOpen ? { minute: this.#minute, counts: this.#open } : null);
    return bytes === null ? null : { ...lifeIn(this, hour), bytes };
  }

  load(hour: number, { born, updated, bytes }: SeriesHour): void {
    if (bytes === undefined) return;
    live(this, born, updated);
    this.#hours.load(hour, bytes);
  }

  #flush(next: number): void {
    if (next <= this.#minute) return;
    if (this.#open.total > 0) this.#hours.append(this.#minute, this.#open);
    this.#open.clear();
    this.#minute = next;
  }
}

function dumpColumns(series: Series, hour: number, columns: readonly (Column | null)[]): SeriesHour | null {
  const dumped = columns.map((column) => column?.dump(hour) ?? null);
  const lived = series.born < (hour + 1) * BLOCK && series.updated >= hour * BLOCK;
  return lived ? { ...lifeIn(series, hour), columns: dumped } : null;
}

function loadColumns(
  series: Series,
  hour: number,
  columns: readonly (Column | null)[],
  { born, updated, columns: dumped = [] }: SeriesHour,
): void {
  live(series, born, updated);
  columns.forEach((column, index) => {
    const values = dumped[index];
    if (values !== null && values !== undefined) column?.load(hour, values);
  });
}

function lifeIn({ born, updated }: Series, hour: number): { born: number; updated: number } {
  return { born: Math.max(born, hour * BLOCK), updated: Math.min(updated, (hour + 1) * BLOCK - 1) };
}

function live(series: Series, born: number, updated: number): void {
  series.born = Math.min(series.born, born);
  series.updated = Math.max(series.updated, updated);
}

function extend(column: Column | null, minute: number, value: number, pick: (a: number, b: number) => number): void {
  if (column === null) return;
  const before = column.get(minute);
  column.set(minute, Number.isNaN(before) ? value : pick(before, value));
}
