import { mean, median, medianAbsoluteDeviation } from 'simple-statistics';
import { at, byDay, HOURS_PER_DAY, HOURS_PER_WEEK, type Line, type Point } from './points';
import { Season } from './season';
import { seasonalSlope } from './slope';
import { cutAtSteps } from './steps';

/** How a series goes: its trend with the rhythm of the week, and how sure that is. */
export interface Fit {
  /** Without the rhythm of the week. Its slope is 0 when growth cannot be told from noise. */
  line: Line;
  /** What it would be if the slope that was measured were no chance. */
  slope: number;
  /** Standard error of the slope, per hour. */
  slopeError: number;
  season: Season;
  /** The middle of what the level was measured by, and the standard error of the level there. */
  centre: number;
  levelError: number;
  /** Last hour. */
  last: number;
  /** First hour after the last jump; null: there was none. */
  stepAt: number | null;
}

/** Days that have to be known before anything is said: less cannot tell a trend from the rhythm of a week. */
export const MIN_DAYS = 8;
const MIN_POINTS = 72;
const MIN_PAIRS = 20;
/** Of a day fewer hours than this say nothing of the noise of days. */
const MIN_HOURS = 6;
/** The level is that of the newest days; a trend that has changed since then is taken from them alone. */
const RECENT_DAYS = 14;
/** Standard errors by which the newest days must differ from the whole for that. */
const CHANGED = 4;
/** Normal quantile of 0.05 %: growth that is none is taken for some so seldom. */
const SURE = 3.29;
/** A middle of values errs so much more than their mean would, a slope that is the middle of slopes so much more. */
const MEDIAN_COST = 1.25;
const SLOPE_COST = 1.15;
/** Values farther off than so many spreads are taken to be that far: a few wild ones are not the noise. */
const WILD = 3;
const SPREAD_PER_MAD = 1.4826;
/** More dependence between days than this is not believed: there would be nothing left to tell. */
const MAX_DEPENDENCE = 0.9;

/** @param points by the hour, oldest first @returns null when there is too little to tell anything */
export function fit(points: readonly Point[]): Fit | null {
  const whole = fitPart(cutAtSteps(points));
  if (whole === null) return null;
  const recent = points.filter(({ hour }) => hour > whole.last - RECENT_DAYS * HOURS_PER_DAY);
  const isLong = points.length > 0 && whole.last - (points[0]?.hour ?? 0) >= 1.5 * RECENT_DAYS * HOURS_PER_DAY;
  const isPlain = whole.stepAt === null || whole.stepAt <= (recent[0]?.hour ?? 0);
  const newest = isLong && isPlain ? fitPart([recent]) : null;
  const changed = newest !== null && Math.abs(newest.slope - whole.slope) > CHANGED * newest.slopeError;
  return changed ? { ...newest, stepAt: whole.stepAt } : whole;
}

function fitPart(segments: readonly (readonly Point[])[]): Fit | null {
  const points = segments.flat();
  const newest = segments.at(-1);
  const [first, last] = [points[0]?.hour, points.at(-1)?.hour];
  if (first === undefined || last === undefined || newest === undefined) return null;
  if (last - first < MIN_DAYS * HOURS_PER_DAY - 1 || points.length < MIN_POINTS) return null;
  const found = seasonalSlope(segments);
  if (found === null || found.pairs < MIN_PAIRS) return null;

  const slope = found.value;
  const residuals = segments.flatMap((segment) => levelled(segment, slope));
  const season = Season.of(residuals);
  const noise = dailyNoise(residuals, season);
  const slopeError = (SLOPE_COST * noise.spread) / Math.sqrt(leverage(segments));
  const freedom = Math.max(1, noise.days - segments.length - 1);
  const isSure = Math.abs(slope) > studentQuantile(SURE, freedom) * slopeError;

  const window = newest.filter(({ hour }) => hour > last - RECENT_DAYS * HOURS_PER_DAY);
  const centre = mean(window.map(({ hour }) => hour));
  const used = isSure ? slope : 0;
  const level = median(window.map(({ hour, value }) => value - season.at(hour) - used * (hour - centre)));
  const days = Math.max(1, window.length / HOURS_PER_DAY);
  return {
    line: { slope: used, base: level - used * centre },
    slope,
    slopeError,
    season,
    centre,
    levelError: (MEDIAN_COST * noise.spread) / Math.sqrt(days),
    last,
    stepAt: segments.length > 1 ? (newest[0]?.hour ?? null) : null,
  };
}

/** The value that is expected in an hour, and how far off it may be (one standard error). */
export function expected(fit: Fit, hour: number): { value: number; error: number } {
  const value = at(fit.line, hour) + fit.season.at(hour);
  return { value, error: Math.hypot(fit.levelError, fit.slopeError * (hour - fit.centre)) };
}

/** What is left of a segment without trend and level. */
function levelled(points: readonly Point[], slope: number): Point[] {
  const level = median(points.map(({ hour, value }) => value - slope * hour));
  return points.map(({ hour, value }) => ({ hour, value: value - slope * hour - level }));
}

/**
 * How much the means of whole days scatter. Neighbouring days often err in the same direction; they then count as fewer
 * days than they are.
 */
function dailyNoise(residuals: readonly Point[], season: Season): { spread: number; days: number } {
  const values = residuals.map(({ hour, value }) => value - season.at(hour));
  // Most values exactly on the line: then what is off it is all that is known of the noise.
  const limit = WILD * SPREAD_PER_MAD * medianAbsoluteDeviation(values) || Infinity;
  const plain = residuals.map(({ hour }, index) => {
    return { hour, value: Math.min(limit, Math.max(-limit, values[index] ?? 0)) };
  });
  const means = [...byDay(plain)]
    .filter(([, hours]) => hours.length >= MIN_HOURS)
    .sort(([a], [b]) => a - b)
    .map(([, hours]) => mean(hours));
  const centre = means.length === 0 ? 0 : mean(means);
  const squares = means.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  const products = means
    .slice(1)
    .reduce((sum, value, index) => sum + (value - centre) * ((means[index] ?? 0) - centre), 0);
  const dependence = squares === 0 ? 0 : Math.min(MAX_DEPENDENCE, Math.max(0, products / squares));
  const variance = squares / Math.max(1, means.length - 2);
  return { spread: Math.sqrt((variance * (1 + dependence)) / (1 - dependence)), days: means.length };
}

/** How well a slope is known from days of the same name: the squares of their distances in time (hours). */
function leverage(segments: readonly (readonly Point[])[]): number {
  let sum = 0;
  for (const points of segments) {
    const hoursOf = new Map<number, number[]>();
    for (const { hour } of points) {
      const place = hour % HOURS_PER_WEEK;
      const hours = hoursOf.get(place);
      if (hours === undefined) hoursOf.set(place, [hour]);
      else hours.push(hour);
    }
    for (const hours of hoursOf.values()) {
      const middle = mean(hours);
      sum += hours.reduce((total, hour) => total + (hour - middle) ** 2, 0);
    }
  }
  return sum / HOURS_PER_DAY; // the noise is that of days, not of hours
}

/** Student's quantile from the normal one (Cornish and Fisher), for few days. */
function studentQuantile(z: number, freedom: number): number {
  const first = (z ** 3 + z) / (4 * freedom);
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
  return z + first + second;
}
