import { linearRegression, mean, median, medianAbsoluteDeviation } from 'simple-statistics';
import { byDay, HOURS_PER_DAY, type Point } from './points';
import { seasonalSlope } from './slope';
import { Season } from './season';

/** Days on both sides that a step must have. */
const MIN_DAYS = 3;
/** A step must explain more than any bend of the line would, so many times what is left unexplained (F statistic), … */
const MIN_EXPLAINED = 25;
/** … and stand out so far from what the values do on other days (in spreads). */
const MIN_CONTRAST = 5;
const MAX_STEPS = 4;
const SPREAD_PER_MAD = 1.4826;

interface Day {
  /** First hour. */
  hour: number;
  value: number;
}

/**
 * Cuts a series where it jumps: more shards, a cleaned disk, another limit. What was before a jump tells how the series
 * grows, but not how high it is.
 */
export function cutAtSteps(points: readonly Point[]): Point[][] {
  const days = plainDays(points);
  const cuts = findSteps(days, MAX_STEPS).sort((a, b) => a - b);
  const segments: Point[][] = [];
  let rest = points;
  for (const cut of cuts) {
    segments.push(rest.filter(({ hour }) => hour < cut));
    rest = rest.filter(({ hour }) => hour >= cut);
  }
  return [...segments, [...rest]].filter((segment) => segment.length > 0);
}

/** The middle of each day, without the rhythm of the week. */
function plainDays(points: readonly Point[]): Day[] {
  const slope = seasonalSlope([points])?.value ?? 0;
  const season = Season.of(points.map(({ hour, value }) => ({ hour, value: value - slope * hour })));
  const plain = points.map(({ hour, value }) => ({ hour, value: value - season.at(hour) }));
  const last = points.at(-1)?.hour ?? 0;
  return [...byDay(plain)]
    .map(([day, values]) => ({ hour: last + 1 + (day - 1) * HOURS_PER_DAY, value: median(values) }))
    .sort((a, b) => a.hour - b.hour);
}

/** Hours at which something new begins. */
function findSteps(days: readonly Day[], left: number): number[] {
  if (left === 0 || days.length < 2 * MIN_DAYS) return [];
  const cut = strongestStep(days);
  if (cut === null) return [];
  const before = findSteps(days.slice(0, cut), left - 1);
  const after = findSteps(days.slice(cut), left - 1 - before.length);
  return [...before, days[cut]?.hour ?? 0, ...after];
}

function strongestStep(days: readonly Day[]): number | null {
  const straight = detrend(days);
  const jump = best(days, straight, (hour, cut) => (hour < cut ? 0 : 1));
  const bend = best(days, straight, (hour, cut) => Math.max(0, hour - cut));
  if (jump.gain <= bend.gain) return null;
  const rest = Math.max(sumOfSquares(straight) - jump.gain, 0) / (days.length - 3);
  const explained = rest === 0 ? Infinity : jump.gain / rest;
  return explained >= MIN_EXPLAINED && standsOut(straight, jump.cut) ? jump.cut : null;
}

/** Where a change of this shape, beside a straight line, explains most of what the line leaves. */
function best(
  days: readonly Day[],
  straight: readonly number[],
  shape: (hour: number, cut: number) => number,
): { cut: number; gain: number } {
  let found = { cut: 0, gain: 0 };
  for (let cut = MIN_DAYS; cut <= days.length - MIN_DAYS; cut++) {
    const begin = days[cut]?.hour ?? 0;
    const change = detrend(days.map(({ hour }) => ({ hour, value: shape(hour, begin) })));
    const gain = dot(straight, change) ** 2 / sumOfSquares(change);
    if (gain > found.gain) found = { cut, gain };
  }
  return found;
}

/** Is the difference between the days before and after greater than such differences are elsewhere? */
function standsOut(values: readonly number[], cut: number): boolean {
  const contrast = (at: number): number =>
    median(values.slice(at, at + MIN_DAYS)) - median(values.slice(at - MIN_DAYS, at));
  const elsewhere: number[] = [];
  for (let at = MIN_DAYS; at <= values.length - MIN_DAYS; at++) {
    if (Math.abs(at - cut) >= MIN_DAYS) elsewhere.push(contrast(at));
  }
  if (elsewhere.length === 0) return true;
  const spread = SPREAD_PER_MAD * medianAbsoluteDeviation(elsewhere);
  return Math.abs(contrast(cut) - median(elsewhere)) > MIN_CONTRAST * spread;
}

/** What is left of the values without their straight line (least squares). */
function detrend(days: readonly Day[]): number[] {
  const centre = mean(days.map(({ hour }) => hour));
  const { m, b } = linearRegression(days.map(({ hour, value }) => [hour - centre, value]));
  return days.map(({ hour, value }) => value - (b + m * (hour - centre)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

function sumOfSquares(values: readonly number[]): number {
  return dot(values, values);
}
