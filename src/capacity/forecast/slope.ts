import { median } from 'simple-statistics';
import { HOURS_PER_WEEK, type Point } from './points';

export interface Slope {
  /** Per hour. */
  value: number;
  /** Pairs of points that it is the middle of. */
  pairs: number;
}

/**
 * The Theil–Sen slope over pairs of points that lie whole weeks apart (Sen's seasonal slope): the rhythm of day and week
 * cancels out in each pair, and up to a quarter of wild values does not move it. Pairs across a step say nothing of the
 * slope and are left out.
 * @param segments runs of points between steps
 * @returns null when no two points lie a week apart
 */
export function seasonalSlope(segments: readonly (readonly Point[])[]): Slope | null {
  const slopes: number[] = [];
  for (const points of segments) {
    const byHour = new Map(points.map(({ hour, value }) => [hour, value]));
    const last = points.at(-1)?.hour ?? 0;
    for (const { hour, value } of points) {
      for (let later = hour + HOURS_PER_WEEK; later <= last; later += HOURS_PER_WEEK) {
        const other = byHour.get(later);
        if (other !== undefined) slopes.push((other - value) / (later - hour));
      }
    }
  }
  return slopes.length === 0 ? null : { value: median(slopes), pairs: slopes.length };
}
