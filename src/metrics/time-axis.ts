import { BLOCK } from './block-pool';

export const MINUTE_MS = 60_000;
/** What is kept: a day, and the hour that is being filled. */
export const RETENTION_MINUTES = 24 * BLOCK;
export const HOURS = 25;

export function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}

export function hourOf(minute: number): number {
  return Math.floor(minute / BLOCK);
}

/** The place of an hour in a ring of HOURS. */
export function slotOf(hour: number): number {
  return hour % HOURS;
}
