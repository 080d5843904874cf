import { HOUR_MS, type Point } from '../../../src/capacity/forecast';

/** First hour of every made history, a Thursday at midnight (UTC). */
export const BEGIN = 490_008;
export const HOURS = 720;
/** When every made history ends, ms since the epoch. */
export const NOW = (BEGIN + HOURS) * HOUR_MS;

export type Curve = (hour: number) => number | null;
/** A random number from 0 to 1. */
export type Random = () => number;

/** The same numbers for the same seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A normally distributed number: mean 0, standard deviation 1. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** What was measured by the hour; null: nothing. `hour` counts from the begin of the history. */
export function history(curve: Curve, hours = HOURS): Point[] {
  return Array.from({ length: hours }, (_, hour) => ({
    hour: BEGIN + HOURS - hours + hour,
    value: curve(hour),
  })).flatMap(({ hour, value }) => (value === null ? [] : [{ hour, value }]));
}

/** Straight from one value at the begin to another at the end. */
export function straight(from: number, to: number): (hour: number) => number {
  return (hour) => from + ((to - from) * hour) / HOURS;
}

/** Each value off by noise whose standard deviation is a share of the value. */
export function noisy(curve: (hour: number) => number, share: number, random: Random): Curve {
  return (hour) => curve(hour) * (1 + share * normal(random));
}

export function daysUntil(at: number | null | undefined): number {
  return at == null ? NaN : (at - NOW) / HOUR_MS / 24;
}
