import { BucketCounts } from './bucket-counts';
import type { Merge } from './catalogue';
import type { Column } from './column';
import type { Stat } from './stat';
import type { CounterSeries, GaugeSeries, HistogramSeries } from './series';
import { MINUTE_MS } from './time-axis';

/** Which minutes become which points. */
export interface Steps {
  first: number;
  last: number;
  /** Minutes per point. */
  width: number;
  /** ms since the epoch. */
  now: number;
  oldest: number;
}

const QUANTILES: Partial<Record<Stat, number>> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };

/** Sums of all series; null before the first of them began. */
export function counterSteps(series: readonly CounterSeries[], stat: Stat, steps: Steps): (number | null)[] {
  const born = Math.min(...series.map((one) => one.born));
  return eachStep(steps, (from, to) => {
    if (to < born) return null;
    let sum = 0;
    for (const { increases, updated } of series) {
      for (let minute = from; minute <= Math.min(to, updated); minute++) sum += increases.get(minute);
    }
    return stat === 'rate' ? perSecond(sum, Math.max(from, born), to, steps) : sum;
  });
}

/** Series become one figure minute by minute, then minutes become one figure; quantiles are taken over all of both. */
export function gaugeSteps(series: readonly GaugeSeries[], stat: Stat, merge: Merge, steps: Steps): (number | null)[] {
  const quantile = QUANTILES[stat];
  const columns = series.map((one) => columnOf(one, stat));
  if (quantile !== undefined) return quantileSteps(columns, quantile, steps);
  return eachStep(steps, (from, to) => {
    const values: number[] = [];
    for (let minute = from; minute <= to; minute++) {
      const value = merged(columns, minute, merge);
      if (!Number.isNaN(value)) values.push(value);
    }
    return values.length === 0 ? null : reduced(values, stat);
  });
}

function quantileSteps(columns: readonly Column[], quantile: number, steps: Steps): (number | null)[] {
  // One array for all steps: of a large bot it holds tens of thousands of values.
  const values = new Float64Array(columns.length * Math.min(steps.width, steps.last - steps.first + 1));
  return eachStep(steps, (from, to) => {
    let count = 0;
    for (const column of columns) {
      for (let minute = from; minute <= to; minute++) {
        const value = column.get(minute);
        if (!Number.isNaN(value)) values[count++] = value;
      }
    }
    if (count === 0) return null;
    return values.subarray(0, count).sort()[Math.max(0, Math.ceil(count * quantile) - 1)] ?? null;
  });
}

export function histogramSteps(series: readonly HistogramSeries[], stat: Stat, steps: Steps): (number | null)[] {
  const count = Math.ceil((steps.last - steps.first + 1) / steps.width);
  const counts = Array.from({ length: count }, () => new BucketCounts());
  for (const one of series) {
    one.read(steps.first, steps.last, (minute) => {
      return counts[Math.floor((minute - steps.first) / steps.width)] as BucketCounts;
    });
  }
  const born = Math.min(...series.map((one) => one.born));
  let index = 0;
  return eachStep(steps, (from, to) => {
    const values = counts[index++] as BucketCounts;
    if (stat === 'count') return to < born ? null : values.total;
    if (stat === 'rate') return to < born ? null : perSecond(values.total, Math.max(from, born), to, steps);
    if (values.total === 0) return null;
    if (stat === 'mean') return values.sum / values.total;
    if (stat === 'min') return values.range[0];
    if (stat === 'max') return values.range[1];
    return values.quantile(QUANTILES[stat] ?? 0.95);
  });
}

function eachStep<T>({ first, last, width }: Steps, compute: (from: number, to: number) => T): T[] {
  const points: T[] = [];
  for (let from = first; from <= last; from += width) points.push(compute(from, Math.min(from + width - 1, last)));
  return points;
}

/** The minute that still runs counts as far as it has run. */
function perSecond(sum: number, from: number, to: number, { now }: Steps): number {
  const ms = Math.min((to + 1) * MINUTE_MS, now) - from * MINUTE_MS;
  return (sum * 1_000) / Math.max(ms, 1_000);
}

function columnOf(series: GaugeSeries, stat: Stat): Column {
  if (stat === 'min') return series.min ?? series.mean;
  if (stat === 'max') return series.max ?? series.mean;
  return series.mean;
}

/** All series at one minute; NaN when none has a value. */
function merged(columns: readonly Column[], minute: number, merge: Merge): number {
  let result = NaN;
  let count = 0;
  for (const column of columns) {
    const value = column.get(minute);
    if (Number.isNaN(value)) continue;
    count++;
    if (count === 1) result = value;
    else if (merge === 'min') result = Math.min(result, value);
    else if (merge === 'max') result = Math.max(result, value);
    else result += value;
  }
  return merge === 'mean' ? result / count : result;
}

function reduced(values: readonly number[], stat: Stat): number {
  if (stat === 'min') return values.reduce((a, b) => Math.min(a, b));
  if (stat === 'max') return values.reduce((a, b) => Math.max(a, b));
  return values.reduce((a, b) => a + b) / values.length;
}
