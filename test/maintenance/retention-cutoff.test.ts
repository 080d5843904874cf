import { cutoffFor, offsetMs } from '../../src/maintenance/tasks/retention-cutoff';
import { random } from '../data/support/snowflakes';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
];
/** Days on which some clock is changed, and others. */
const DAYS = ['2025-03-09', '2025-03-30', '2025-04-05', '2025-10-05', '2025-10-26', '2025-11-02', '2025-07-01'];

/** What the clock of the zone shows at the moment, as the bot would have written it down. */
const clockOf = (instant: number, zone: string): string =>
  new Date(instant + offsetMs(instant, zone)).toISOString().slice(0, -1).replace('T', ' ');

test('no row inside its period is below the cut, whatever its zone and the day', () => {
  const next = random(7);
  let deleted = 0;
  for (const zone of ZONES) {
    for (const day of DAYS) {
      for (let n = 0; n < 12; n++) {
        const keep = (1 + Math.floor(next() * 90)) * DAY;
        const now = Date.parse(`${day}T00:00Z`) + Math.floor(next() * 2 * DAY) + keep;
        const written = now - keep + Math.floor((next() - 0.5) * 6 * HOUR);
        const inside = written > now - keep;
        const clock = clockOf(written, zone);
        const cut = (type: 'timestamp' | 'date'): string => cutoffFor(type, new Date(now), keep, zone);
        const gone = { timestamp: clock < cut('timestamp'), date: clock.slice(0, 10) < cut('date') };
        if (inside) expect({ zone, now, written, gone }).toMatchObject({ gone: { timestamp: false, date: false } });
        else if (gone.timestamp) deleted++;
      }
    }
  }
  expect(deleted).toBeGreaterThan(150);
});

test('the hour that comes twice is kept until its second one is old enough', () => {
  // 2025-11-02 in New York: 01:30 is at 05:30Z and again at 06:30Z.
  const now = new Date(Date.parse('2025-11-02T05:45Z') + DAY);
  expect(cutoffFor('timestamp', now, DAY, 'America/New_York') <= '2025-11-02 01:00:00.000').toBe(true);
});

test('moments and numbers are exact', () => {
  const now = new Date('2026-01-10T00:00:00Z');
  expect(cutoffFor('timestamptz', now, DAY, 'UTC')).toBe('2026-01-09T00:00:00.000Z');
  expect(cutoffFor('seconds', now, DAY, 'UTC')).toBe(String(Date.parse('2026-01-09') / 1_000));
  expect(cutoffFor('milliseconds', now, DAY, 'UTC')).toBe(String(Date.parse('2026-01-09')));
  const id = BigInt(cutoffFor('snowflake', now, DAY, 'UTC'));
  expect(Number((id >> 22n) + 1_420_070_400_000n)).toBe(Date.parse('2026-01-09'));
});
