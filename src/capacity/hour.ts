import type { Observation, ResourceName } from './resource';

export const HOUR_MS = 3_600_000;
export const KEPT_HOURS = 30 * 24;

/** What was seen of one resource in one hour. */
export interface HourRow {
  /** Whole hours since the epoch. */
  hour: number;
  resource: ResourceName;
  scope: string;
  /** Who has seen it: a state folder. One that begins anew in the middle of an hour adds to what is there. */
  part: string;
  samples: number;
  mean: number;
  low: number;
  high: number;
  /** The latest one. */
  limit: number | null;
}

/** One hour of a series, from all who have seen something of it. */
export type Hour = Pick<HourRow, 'hour' | 'samples' | 'mean' | 'low' | 'high' | 'limit'>;

export function firstRow(hour: number, part: string, { resource, scope, value, limit }: Observation): HourRow {
  return { hour, resource, scope, part, samples: 1, mean: value, low: value, high: value, limit };
}

export function withSample(row: HourRow, { value, limit }: Observation): HourRow {
  const samples = row.samples + 1;
  const mean = row.mean + (value - row.mean) / samples;
  return { ...row, samples, mean, low: Math.min(row.low, value), high: Math.max(row.high, value), limit };
}

export function together(a: Hour, b: Hour): Hour {
  const samples = a.samples + b.samples;
  return {
    hour: a.hour,
    samples,
    mean: (a.mean * a.samples + b.mean * b.samples) / samples,
    low: Math.min(a.low, b.low),
    high: Math.max(a.high, b.high),
    limit: b.limit ?? a.limit,
  };
}
