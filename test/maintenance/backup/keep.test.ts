import { type KeptBackup, prunable } from '../../../src/maintenance/backup/keep';

const SETTINGS = { daily: 7, weekly: 4, monthly: 6 };
const DAY = 86_400_000;

function nights(count: number, until: string): KeptBackup[] {
  return Array.from({ length: count }, (_, n) => {
    const at = new Date(Date.parse(until) - n * DAY);
    return { id: at.toISOString(), at, verified: true };
  });
}

const kept = (backups: KeptBackup[], zone = 'UTC'): string[] => {
  const gone = new Set(prunable(backups, SETTINGS, zone));
  return backups.filter(({ id }) => !gone.has(id)).map(({ id }) => id.slice(0, 10));
};

test('seven days, four weeks, six months of a year of nights', () => {
  const left = kept(nights(365, '2026-06-17T02:00Z')); // a Wednesday
  expect(left).toEqual([
    ...['2026-06-17', '2026-06-16', '2026-06-15', '2026-06-14', '2026-06-13', '2026-06-12', '2026-06-11'],
    ...['2026-06-07', '2026-05-31'], // the newest of the weeks before; 14 June and 17 June are there already
    ...['2026-04-30', '2026-03-31', '2026-02-28', '2026-01-31'],
  ]);
});

test('of several on one day the newest stays; days begin in the zone', () => {
  const at = (time: string): KeptBackup => ({ id: time, at: new Date(time), verified: true });
  const backups = [at('2026-06-17T22:30Z'), at('2026-06-17T21:30Z'), at('2026-06-17T10:00Z')];
  expect(prunable(backups, SETTINGS, 'UTC')).toEqual(['2026-06-17T21:30Z', '2026-06-17T10:00Z']);
  expect(prunable(backups, SETTINGS, 'Europe/Berlin')).toEqual(['2026-06-17T10:00Z']);
});

test('what cannot be restored stands for no day, and never drives a good one out', () => {
  const backups = nights(20, '2026-06-17T02:00Z');
  for (const backup of backups.slice(0, 10)) backup.verified = false;
  const gone = prunable(backups, { daily: 1, weekly: 0, monthly: 0 }, 'UTC');
  expect(gone).not.toContain(backups[0]!.id); // the newest, for those who look for the fault
  expect(gone).not.toContain(backups[10]!.id); // the newest good one
  expect(gone).toHaveLength(18);
  expect(prunable(nights(3, '2026-06-17T02:00Z'), { daily: 0, weekly: 0, monthly: 0 }, 'UTC')).toHaveLength(2);
});
