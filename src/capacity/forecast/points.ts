/** One hour of a series. */
export interface Point {
  /** Whole hours since the epoch. */
  hour: number;
  value: number;
}

export const HOURS_PER_DAY = 24;
export const HOURS_PER_WEEK = 168;

/** A straight line through what was measured, by the hour. */
export interface Line {
  /** Per hour. */
  slope: number;
  /** Value at hour 0. */
  base: number;
}

export function at({ slope, base }: Line, hour: number): number {
  return base + slope * hour;
}

/** Values by day (24 hours, the last one ends with the last point): the middle of each, which single hours do not move. */
export function byDay(points: readonly Point[]): Map<number, number[]> {
  const days = new Map<number, number[]>();
  const last = points.at(-1)?.hour ?? 0;
  for (const { hour, value } of points) {
    const day = -Math.floor((last - hour) / HOURS_PER_DAY);
    const values = days.get(day);
    if (values === undefined) days.set(day, [value]);
    else values.push(value);
  }
  return days;
}
