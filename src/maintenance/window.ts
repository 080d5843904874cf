import { Cron } from 'croner';

/** Times of the day as HH:MM, in a named time zone. */
export interface WindowSettings {
  start: string;
  /** Not later than the start: of the next day. */
  end: string;
  zone: string;
}

/** When maintenance may work, each night. Instants. */
export interface Window {
  start: Date;
  end: Date;
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

/**
 * The window that `at` lies in, else the next one. On days when the clock is changed it begins at the first moment that
 * is not before its start by the clock, once, and never lasts longer than on other days. Pure.
 */
export function windowAt(settings: WindowSettings, at: Date): Window {
  const current = lastWindow(settings, at);
  if (current !== null && at < current.end) return current;
  const start = daily(settings.start, settings.zone).nextRun(at);
  if (start === null) throw new RangeError(`there is no ${settings.start} in ${settings.zone}`);
  return windowFrom(settings, start);
}

/** The last window that has begun by `at`. */
export function lastWindow(settings: WindowSettings, at: Date): Window | null {
  // croner looks for runs before its reference.
  const [start] = daily(settings.start, settings.zone).previousRuns(1, new Date(at.getTime() + 1_000));
  return start === undefined ? null : windowFrom(settings, start);
}

/** Length on days without a change of the clock, ms. */
export function windowMs({ start, end }: Pick<WindowSettings, 'start' | 'end'>): number {
  const minutes = (minuteOf(end) - minuteOf(start) + DAY_MINUTES) % DAY_MINUTES;
  return (minutes === 0 ? DAY_MINUTES : minutes) * MINUTE_MS;
}

function windowFrom(settings: WindowSettings, start: Date): Window {
  const longest = start.getTime() + windowMs(settings);
  const byClock = daily(settings.end, settings.zone).nextRun(start)?.getTime() ?? longest;
  return { start, end: new Date(Math.min(byClock, longest)) };
}

function daily(time: string, zone: string): Cron {
  const minute = minuteOf(time);
  return new Cron(`0 ${minute % 60} ${Math.floor(minute / 60)} * * *`, { timezone: zone, paused: true });
}

function minuteOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return hour * 60 + minute;
}
