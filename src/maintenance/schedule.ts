import { Cron } from 'croner';
import { isTaskName, type TaskName } from './task';
import { lastWindow, type Window, windowAt, windowMs, type WindowSettings } from './window';

export interface ScheduleSettings {
  window: WindowSettings;
  /** Tasks in their order; with a cron pattern of its own a task is due at those times instead of at the window's begin. */
  tasks: readonly { name: TaskName; schedule: string | null }[];
}

/** Work to be done at a time: which tasks, and until when. */
export interface Due {
  tasks: TaskName[];
  at: Date;
  until: Date;
  trigger: 'window' | 'schedule';
}

/** The next work after `after`. null: no task is due ever. Pure. */
export function nextDue(settings: ScheduleSettings, after: Date): Due | null {
  const inWindow = settings.tasks.flatMap(({ name, schedule }) => (schedule === null ? [name] : []));
  const window = inWindow.length === 0 ? null : nextWindow(settings.window, after);
  const own = settings.tasks.flatMap(({ name, schedule }) => {
    const at =
      schedule === null ? null : new Cron(schedule, { timezone: settings.window.zone, paused: true }).nextRun(after);
    return at === null ? [] : [{ name, at }];
  });
  const times = [...own.map(({ at }) => at.getTime()), ...(window === null ? [] : [window.start.getTime()])];
  if (times.length === 0) return null;
  const first = Math.min(...times);
  const now = own.filter(({ at }) => at.getTime() === first).map(({ name }) => name);
  if (window !== null && window.start.getTime() === first) {
    return { tasks: inOrder(settings, [...inWindow, ...now]), at: window.start, until: window.end, trigger: 'window' };
  }
  const until = new Date(first + windowMs(settings.window));
  return { tasks: inOrder(settings, now), at: new Date(first), until, trigger: 'schedule' };
}

/**
 * The last window, which may not be over, when nothing was done in it.
 * @param lastRun begin of the last run that was due by the window; null: there never was one
 */
export function missedWindow(settings: WindowSettings, lastRun: Date | null, now: Date): Window | null {
  const window = lastWindow(settings, now);
  // Without any run before, botctl is new here: nothing was promised yet.
  if (window === null || lastRun === null || lastRun >= window.start) return null;
  return window;
}

function nextWindow(settings: WindowSettings, after: Date): Window {
  const window = windowAt(settings, after);
  return window.start > after ? window : windowAt(settings, window.end);
}

/** What was cut off the last time goes first. Pure. */
export function leftFirst(tasks: readonly TaskName[], left: readonly string[]): TaskName[] {
  const first = left.filter(isTaskName).filter((name) => tasks.includes(name));
  return [...new Set([...first, ...tasks])];
}

function inOrder({ tasks }: ScheduleSettings, names: readonly TaskName[]): TaskName[] {
  return tasks.map(({ name }) => name).filter((name) => names.includes(name));
}
