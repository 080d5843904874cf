import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HOUR_MS, KEPT_HOURS, type HourRow } from './hour';
import { isResource } from './resource';

const FORMAT = 1;
const NAME = /^(\d+)\.day\.json$/;
const HOURS_PER_DAY = 24;

interface DayFile {
  format: number;
  part: string;
  rows: HourRow[];
}

export interface Kept {
  /** Name of this folder among those that have seen something. */
  part: string;
  rows: HourRow[];
  /** Files that could not be read; the rest is not worse for it. */
  unreadable: string[];
}

/** What this host has seen in the last 30 days, a file for each day: enough to go on, and to answer, without Postgres. */
export class HistoryFolder {
  constructor(private readonly dir: string) {}

  /** @throws Error of the file system when the folder cannot be made or listed */
  async load(): Promise<Kept> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const kept: Kept = { part: randomBytes(4).toString('hex'), rows: [], unreadable: [] };
    for (const { name } of await this.#days()) {
      try {
        const { part, rows } = await readDay(join(this.dir, name));
        kept.part = part;
        kept.rows.push(...rows);
      } catch {
        kept.unreadable.push(name);
      }
    }
    return kept;
  }

  /**
   * Writes the days that an hour and those after it are in.
   * @param own rows from the beginning of the day of `sinceHour`
   * @throws Error of the file system
   */
  async save(part: string, own: readonly HourRow[], now: number): Promise<void> {
    const days = new Map<number, HourRow[]>();
    for (const row of own) {
      const day = dayOf(row.hour);
      days.set(day, [...(days.get(day) ?? []), row]);
    }
    for (const [day, rows] of days) {
      await replace(join(this.dir, `${day}.day.json`), { format: FORMAT, part, rows } satisfies DayFile);
    }
    const today = dayOf(Math.floor(now / HOUR_MS));
    for (const { day, name } of await this.#days()) {
      if (day < today - KEPT_HOURS / HOURS_PER_DAY || day > today) await rm(join(this.dir, name), { force: true });
    }
  }

  async #days(): Promise<{ day: number; name: string }[]> {
    const names = await readdir(this.dir);
    return names
      .flatMap((name) => {
        const day = NAME.exec(name)?.[1];
        return day === undefined ? [] : [{ day: Number(day), name }];
      })
      .sort((a, b) => a.day - b.day);
  }
}

/** First hour of the day (UTC) of an hour: files begin there. */
export function dayBegin(hour: number): number {
  return dayOf(hour) * HOURS_PER_DAY;
}

/** Whole or not at all, for its owner alone. @throws Error of the file system */
export async function replace(file: string, content: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

function dayOf(hour: number): number {
  return Math.floor(hour / HOURS_PER_DAY);
}

async function readDay(file: string): Promise<DayFile> {
  const day = JSON.parse(await readFile(file, 'utf8')) as DayFile;
  if (day.format !== FORMAT || typeof day.part !== 'string') throw new Error(`${file} is of another version of botctl`);
  return { ...day, rows: day.rows.filter(isRow) };
}

function isRow({ hour, resource, scope, part, samples, mean, low, high }: HourRow): boolean {
  return (
    isResource(resource) &&
    typeof scope === 'string' &&
    typeof part === 'string' &&
    [hour, samples, mean, low, high].every(Number.isFinite) &&
    samples > 0
  );
}
