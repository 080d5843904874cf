import { missedWindow, nextDue } from '../../src/maintenance/schedule';
import { windowAt, windowMs, type WindowSettings } from '../../src/maintenance/window';

const HOUR = 3_600_000;
const night = (zone: string, start = '02:00', end = '04:00'): WindowSettings => ({ start, end, zone });
const at = (text: string): Date => new Date(text);

test.each([
  // An ordinary night, the night that skips 02:00 to 03:00, and the one that has 02:00 to 03:00 twice.
  ['Europe/Berlin', '2026-06-10T20:00Z', '2026-06-11T00:00Z', '2026-06-11T02:00Z'],
  ['Europe/Berlin', '2026-03-28T20:00Z', '2026-03-29T01:00Z', '2026-03-29T02:00Z'],
  ['Europe/Berlin', '2026-10-24T20:00Z', '2026-10-25T00:00Z', '2026-10-25T02:00Z'],
  ['America/New_York', '2026-03-08T00:00Z', '2026-03-08T07:00Z', '2026-03-08T08:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T12:00Z', '2026-10-03T15:30Z', '2026-10-03T17:00Z'],
])('%s: the window after %s', (zone, after, start, end) => {
  expect(windowAt(night(zone), at(after))).toEqual({ start: at(start), end: at(end) });
});

test('nights around the changes of the clock: one window a day, never longer than it should be', () => {
  for (const zone of ['America/New_York', 'America/St_Johns', 'Africa/Casablanca']) {
    for (const settings of [night(zone), night(zone, '01:30', '02:30'), night(zone, '23:30', '00:30')]) {
      for (const first of ['2026-03-06T12:00Z', '2026-03-20T12:00Z', '2026-10-30T12:00Z']) {
        let from = at(first);
        for (let n = 0; n < 6; n++) {
          const { start, end } = windowAt(settings, from);
          const ms = end.getTime() - start.getTime();
          expect(ms > 0 && ms <= windowMs(settings)).toBe(true);
          expect(start >= from && start.getTime() - from.getTime() < 26 * HOUR).toBe(true);
          from = end;
        }
      }
    }
  }
});

test('a moment inside a window belongs to it; its end does not', () => {
  expect(windowAt(night('UTC'), at('2026-06-10T02:00Z')).start).toEqual(at('2026-06-10T02:00Z'));
  expect(windowAt(night('UTC'), at('2026-06-10T03:59Z')).start).toEqual(at('2026-06-10T02:00Z'));
  expect(windowAt(night('UTC'), at('2026-06-10T04:00Z')).start).toEqual(at('2026-06-11T02:00Z'));
});

test('tasks are due with the window, or by their own pattern', () => {
  const tasks = [
    { name: 'backup' as const, schedule: '0 */6 * * *' },
    { name: 'vacuum' as const, schedule: null },
    { name: 'reindex' as const, schedule: '0 2 * * 0' },
  ];
  const settings = { window: night('UTC'), tasks };
  expect(nextDue(settings, at('2026-06-10T01:00Z'))).toMatchObject({ tasks: ['vacuum'], at: at('2026-06-10T02:00Z') });
  expect(nextDue(settings, at('2026-06-10T02:00Z'))).toEqual({
    ...{ tasks: ['backup'], at: at('2026-06-10T06:00Z'), until: at('2026-06-10T08:00Z'), trigger: 'schedule' },
  });
  expect(nextDue(settings, at('2026-06-14T01:00Z'))?.tasks).toEqual(['vacuum', 'reindex']); // a Sunday
  expect(nextDue({ ...settings, tasks: [] }, at('2026-06-14T01:00Z'))).toBeNull();
});

test('a window is missed when nothing came to its end in it', () => {
  const window = night('UTC');
  const now = at('2026-06-10T12:00Z');
  expect(missedWindow(window, at('2026-06-09T02:00Z'), now)?.start).toEqual(at('2026-06-10T02:00Z'));
  expect(missedWindow(window, at('2026-06-10T02:00Z'), now)).toBeNull();
  expect(missedWindow(window, null, now)).toBeNull();
  expect(missedWindow(window, new Date(now.getTime() - 30 * HOUR), at('2026-06-10T03:00Z'))).not.toBeNull();
});
