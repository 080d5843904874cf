import { mean, median, medianAbsoluteDeviation } from 'simple-statistics';
import { HOURS_PER_DAY, type Point } from './points';

const DAYS = 7;
/** Days and hours are told apart by taking away the one to see the other, this often. */
const ROUNDS = 2;
/** The spread of normally distributed values, as a multiple of their median absolute deviation. */
const SPREAD_PER_MAD = 1.4826;
/** The middle of n values varies so much more than their mean (variance, normally distributed values). */
const MEDIAN_VARIANCE = Math.PI / 2;

/** What day of the week and hour of the day add to the trend. */
export class Season {
  private constructor(
    private readonly days: readonly number[],
    private readonly hours: readonly number[],
  ) {}

  static readonly none = new Season(new Array<number>(DAYS).fill(0), new Array<number>(HOURS_PER_DAY).fill(0));

  /** @param residuals what is left without the trend */
  static of(residuals: readonly Point[]): Season {
    let season = Season.none;
    for (let round = 0; round < ROUNDS; round++) {
      const hours = offsets(without(residuals, season.days, dayOf), HOURS_PER_DAY, hourOf);
      const days = offsets(without(residuals, hours, hourOf), DAYS, dayOf);
      season = new Season(days, hours);
    }
    return season;
  }

  at(hour: number): number {
    return (this.days[dayOf(hour)] ?? 0) + (this.hours[hourOf(hour)] ?? 0);
  }

  /** What the strongest hour of the week adds. */
  get peak(): number {
    return Math.max(...this.days) + Math.max(...this.hours);
  }
}

function without(points: readonly Point[], offsetsBy: readonly number[], classOf: (hour: number) => number): Point[] {
  return points.map(({ hour, value }) => ({ hour, value: value - (offsetsBy[classOf(hour)] ?? 0) }));
}

function dayOf(hour: number): number {
  return Math.floor(hour / HOURS_PER_DAY) % DAYS;
}

function hourOf(hour: number): number {
  return hour % HOURS_PER_DAY;
}

/**
 * Middle of each class, shrunk towards none by as much as noise alone would explain (James and Stein): otherwise the
 * greatest of several noisy middles would always be too great, and limits would be met too early.
 */
function offsets(points: readonly Point[], classes: number, classOf: (hour: number) => number): number[] {
  const members = Array.from({ length: classes }, () => [] as number[]);
  for (const { hour, value } of points) members[classOf(hour)]?.push(value);
  const known = members.filter((values) => values.length > 0);
  if (known.length < classes) return new Array<number>(classes).fill(0);
  const middles = known.map((values) => median(values));
  const centre = mean(middles);
  const noise = mean(known.map((values) => varianceOfMiddle(values)));
  const between = mean(middles.map((middle) => (middle - centre) ** 2));
  const kept = between === 0 ? 0 : Math.max(0, 1 - noise / between);
  return middles.map((middle) => kept * (middle - centre));
}

function varianceOfMiddle(values: readonly number[]): number {
  const spread = SPREAD_PER_MAD * medianAbsoluteDeviation([...values]);
  return (MEDIAN_VARIANCE * spread ** 2) / values.length;
}
