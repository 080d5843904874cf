import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeeklyReport } from '../../../src/supervisor/capacity/weekly-report';

const HOUR_MS = 3_600_000;
/** Mondays at 9:00, time of the machine. */
const MONDAY = new Date(2026, 10, 23, 9).getTime();
const NEXT_MONDAY = new Date(2026, 10, 30, 9).getTime();

describe('the weekly report', () => {
  let dir: string;
  let now: number;
  let told: number[];
  let errors: Error[];
  let isThere: boolean;
  const made: WeeklyReport[] = [];

  /** That of the next supervisor. */
  const make = (timezone?: string): WeeklyReport => {
    const report = new WeeklyReport({
      dir,
      tell: () => {
        if (isThere) told.push(now);
        return Promise.resolve(isThere);
      },
      onError: (error) => errors.push(error),
      now: () => now,
      ...(timezone !== undefined && { timezone }),
    });
    made.push(report);
    return report;
  };
  const lookAt = (report: WeeklyReport, time: number): Promise<void> => {
    now = time;
    return report.look();
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-weekly-'));
    [now, told, errors, isThere] = [MONDAY - 50 * HOUR_MS, [], [], true];
  });
  afterEach(() => {
    for (const report of made.splice(0)) report.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is told on Monday at 9:00, once, however often it is looked for', async () => {
    const report = make();
    await lookAt(report, MONDAY - 1);
    expect(told).toEqual([]);
    for (const time of [MONDAY, MONDAY + 1, MONDAY + HOUR_MS, NEXT_MONDAY - 1]) await lookAt(report, time);
    expect(told).toEqual([MONDAY]);
    await lookAt(report, NEXT_MONDAY + 5);
    expect(told).toEqual([MONDAY, NEXT_MONDAY + 5]);
  });

  it('comes on the hour in the weeks of a clock change, too', async () => {
    for (const due of [Date.UTC(2026, 2, 30, 7), Date.UTC(2026, 9, 26, 8)]) {
      told = [];
      now = due - 5 * 24 * HOUR_MS;
      rmSync(join(dir, 'weekly.json'), { force: true });
      const report = make('Europe/Berlin');
      await lookAt(report, due - HOUR_MS / 2);
      await lookAt(report, due);
      expect(told).toEqual([due]);
    }
  });

  it('is made up for by the supervisor that comes after one which was not there, and only by the first', async () => {
    make();
    await lookAt(make(), MONDAY + 30 * HOUR_MS);
    expect(told).toEqual([MONDAY + 30 * HOUR_MS]);
    await lookAt(make(), MONDAY + 31 * HOUR_MS);
    expect(told).toHaveLength(1);
    expect(readdirSync(dir)).toEqual(['weekly.json']);
  });

  it('waits while nothing was looked at yet', async () => {
    const report = make();
    isThere = false;
    await lookAt(report, MONDAY);
    isThere = true;
    await lookAt(report, MONDAY + HOUR_MS);
    expect(told).toEqual([MONDAY + HOUR_MS]);
  });

  it('is not told in the middle of a first week, nor when nobody knows when it was told', async () => {
    now = MONDAY + HOUR_MS;
    await make().look();
    writeFileSync(join(dir, 'weekly.json'), '{"toldAt":');
    await make().look();
    expect(told).toEqual([]);
  });

  it('is not told again and again where it cannot be noted', async () => {
    const report = make();
    rmSync(dir, { recursive: true });
    writeFileSync(dir, 'no folder');
    await lookAt(report, MONDAY);
    await lookAt(report, MONDAY + HOUR_MS);
    expect([told.length, errors.length]).toEqual([1, 1]);
  });
});
