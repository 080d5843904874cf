import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cron } from 'croner';

export interface WeeklyReportOptions {
  /** Where it is kept when it was told last. */
  dir: string;
  /** Tells it. @returns false while there is nothing to tell yet */
  tell: () => Promise<boolean>;
  onError: (error: Error) => void;
  now?: () => number;
  /** In place of the machine's. */
  timezone?: string;
}

/** Monday at 9:00, time of the machine. */
const WEEKLY = '0 9 * * 1';
const SECOND_MS = 1_000;
const FILE = 'weekly.json';

/** Told once a week; when nothing ran at that time, as soon as something does. */
export class WeeklyReport {
  readonly #schedule: Cron;
  readonly #now: () => number;
  #toldAt: number;
  #telling = false;

  constructor(private readonly options: WeeklyReportOptions) {
    this.#now = options.now ?? Date.now;
    const { timezone } = options;
    const cron = { unref: true, catch: true, ...(timezone !== undefined && { timezone }) };
    this.#schedule = new Cron(WEEKLY, cron, () => this.look());
    const toldAt = read(options.dir);
    this.#toldAt = toldAt ?? this.#now();
    // It was not there before: the first report is that of next Monday.
    if (toldAt === null) this.#note(this.#toldAt);
  }

  /** Tells it if it is due. Never rejects. */
  async look(): Promise<void> {
    const now = this.#now();
    if (this.#telling || this.#lastDue(now) <= this.#toldAt) return;
    this.#telling = true;
    try {
      if (await this.options.tell()) this.#note(now);
    } catch (error) {
      this.options.onError(error as Error);
    } finally {
      this.#telling = false;
    }
  }

  stop(): void {
    this.#schedule.stop();
  }

  #lastDue(now: number): number {
    // It leaves out a run at the very time that is asked about, so a later one is.
    const runs = this.#schedule.previousRuns(2, new Date(now + SECOND_MS)).map((run) => run.getTime());
    return runs.find((run) => run <= now) ?? 0;
  }

  /** On a full disk it may be told twice, but not by the same supervisor. */
  #note(at: number): void {
    this.#toldAt = at;
    const { dir, onError } = this.options;
    const file = join(dir, FILE);
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.new`, JSON.stringify({ toldAt: at }), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      onError(error as Error);
    }
  }
}

/** @returns null when it was never told, or nobody can say when */
function read(dir: string): number | null {
  try {
    const { toldAt } = JSON.parse(readFileSync(join(dir, FILE), 'utf8')) as { toldAt?: unknown };
    return typeof toldAt === 'number' ? toldAt : null;
  } catch {
    return null;
  }
}
