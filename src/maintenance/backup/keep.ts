export interface KeepSettings {
  /** Days, weeks and months of which the newest backup is kept. */
  daily: number;
  weekly: number;
  monthly: number;
}

export interface KeptBackup {
  id: string;
  at: Date;
  /** Was it restored without fault? null: not tried yet. */
  verified: boolean | null;
}

/**
 * Backups that may go: those that are the newest of none of the last days, weeks and months that have one. What cannot be
 * restored stands for no day; the newest good one always stays. Pure.
 * @param zone in which days begin
 */
export function prunable(backups: readonly KeptBackup[], settings: KeepSettings, zone: string): string[] {
  const sorted = [...backups].sort((a, b) => b.at.getTime() - a.at.getTime());
  const good = sorted.filter(({ verified }) => verified !== false);
  const kept = new Set<string>();
  const day = (at: Date): string => at.toLocaleDateString('en-CA', { timeZone: zone });
  const keepNewest = (count: number, period: (at: Date) => string): void => {
    const seen = new Set<string>();
    for (const { id, at } of good) {
      const name = period(at);
      if (seen.has(name)) continue;
      if (seen.size >= count) return;
      seen.add(name);
      kept.add(id);
    }
  };
  keepNewest(settings.daily, day);
  keepNewest(settings.weekly, (at) => isoWeek(day(at)));
  keepNewest(settings.monthly, (at) => day(at).slice(0, 7));
  const newest = good.find(({ verified }) => verified === true) ?? good[0];
  if (newest !== undefined) kept.add(newest.id);
  // One that cannot be restored stays while it is the newest: for those who look for the fault.
  const [last] = sorted;
  if (last !== undefined) kept.add(last.id);
  return sorted.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
}

/** The Monday of the week of a date. */
function isoWeek(date: string): string {
  const at = new Date(`${date}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() - ((at.getUTCDay() + 6) % 7));
  return at.toISOString().slice(0, 10);
}
