import { median } from 'simple-statistics';
import { expected, fit, MIN_DAYS, type Fit } from './fit';
import type { Expected, Forecast, Meeting, TooLittle } from './types';
import { at, HOURS_PER_DAY, HOURS_PER_WEEK, type Point } from './points';

export const HOUR_MS = 3_600_000;
/** Half of the band in standard errors: nine of ten futures lie within, if things go on as they were. */
const BAND = 1.645;
/** Fewer hours than this say nothing of the level. */
const MIN_LEVEL_HOURS = 6;
/** A date farther away than this is no forecast any more. */
const FARTHEST_HOURS = 730 * HOURS_PER_DAY;

/**
 * Looks ahead from the history of a value. Pure.
 * @param points by the hour, oldest first
 * @param now ms since the epoch
 * @param targets values whose dates are asked for
 */
export function forecast(points: readonly Point[], now: number, targets: readonly number[]): Forecast {
  const found = fit(points);
  if (found === null) return tooLittle(points);
  const hour = Math.floor(now / HOUR_MS);
  const { slope } = found.line;
  const half = BAND * found.slopeError;
  return {
    kind: 'trend',
    direction: slope > 0 ? 'rising' : slope < 0 ? 'falling' : 'steady',
    perDay: slope * HOURS_PER_DAY,
    perDayBand: [(found.slope - half) * HOURS_PER_DAY, (found.slope + half) * HOURS_PER_DAY],
    level: at(found.line, hour),
    peak: at(found.line, hour) + found.season.peak,
    stepAt: found.stepAt === null ? null : found.stepAt * HOUR_MS,
    meetings: targets.map((target) => meet(found, hour, target)),
  };
}

/** What is expected on the days to come; empty when there is too little history. */
export function outlook(points: readonly Point[], now: number, days: number): Expected[] {
  const found = fit(points);
  if (found === null) return [];
  const hour = Math.floor(now / HOUR_MS);
  return Array.from({ length: days }, (_, day) => {
    const values = Array.from({ length: HOURS_PER_DAY }, (_, h) => expected(found, hour + day * HOURS_PER_DAY + h));
    const value = values.reduce((sum, one) => sum + one.value, 0) / HOURS_PER_DAY;
    const half = BAND * (values[0]?.error ?? 0);
    return { at: (hour + day * HOURS_PER_DAY) * HOUR_MS, value, low: value - half, high: value + half };
  });
}

function tooLittle(points: readonly Point[]): TooLittle {
  const [first, last] = [points[0]?.hour ?? 0, points.at(-1)?.hour ?? 0];
  const day = points.filter(({ hour }) => hour > last - HOURS_PER_DAY).map(({ value }) => value);
  return {
    kind: 'too-little',
    days: points.length === 0 ? 0 : (last - first + 1) / HOURS_PER_DAY,
    neededDays: MIN_DAYS,
    level: day.length < MIN_LEVEL_HOURS ? null : median(day),
  };
}

function meet(found: Fit, now: number, target: number): Meeting {
  // What is not sure to grow has no dates but those of its weekly rhythm.
  const spread = found.line.slope === 0 ? 0 : BAND;
  return {
    at: firstHour(found, now, target, 0),
    earliest: firstHour(found, now, target, spread),
    latest: firstHour(found, now, target, -spread),
  };
}

/** First hour from now on in which the value, moved by so many standard errors, is at the target. */
function firstHour(found: Fit, now: number, target: number, errors: number): number | null {
  const end = found.line.slope === 0 ? now + HOURS_PER_WEEK : now + FARTHEST_HOURS;
  for (let hour = now; hour <= end; hour++) {
    const { value, error } = expected(found, hour);
    if (value + errors * error >= target) return hour * HOUR_MS;
  }
  return null;
}
