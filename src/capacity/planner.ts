import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { analyse } from './analysis';
import type { Deployment } from './deployment';
import { History } from './history';
import { dayBegin, HistoryFolder, replace } from './history-folder';
import type { HistoryTable } from './history-table';
import { HOUR_MS } from './hour';
import { REPORT_FILE } from './kept-report';
import { capacityStatus, type CapacityReport, type CapacityStatus } from './report';
import type { Observation } from './resource';

export interface PlannerOptions {
  /** Folder of its own in the state folder. */
  dir: string;
  /** null: there is no Postgres, the history stays in the folder. */
  table: HistoryTable | null;
  /** How things are now. What cannot be seen at the moment is left out. */
  observe: () => Promise<readonly Observation[]>;
  deployment: () => Deployment;
  /** Share of a limit from which on it counts as near. */
  threshold: number;
  /** How far ahead that is told, ms. */
  horizonMs: number;
  clock: Clock;
  log: Log;
  /** Told after each look ahead. */
  onReport: (report: CapacityReport) => void;
}

interface Clock {
  now(): number;
  after(ms: number, fn: () => void): () => void;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** How often it is looked at how much is in use, ms. */
const LOOK_MS = 60_000;
/** A look is as good as new for so long, ms. */
const FRESH_MS = 2_000;
/** What a kill takes with it at most, ms. */
const SAVE_MS = 5 * LOOK_MS;
/** The end of the supervisor waits no longer, ms. */
const STOP_MS = 5_000;
/** A value that was not seen for so long is history, ms. */
const STALE_MS = 24 * HOUR_MS;

/** Keeps the history of what is in use, and looks ahead each hour. */
export class CapacityPlanner {
  readonly #options: PlannerOptions;
  readonly #folder: HistoryFolder;
  #history = new History('');
  readonly #latest = new Map<string, Observation & { seenAt: number }>();
  #report: CapacityReport | null = null;
  #status: CapacityStatus | null = null;
  #problem: string | null = null;
  #isMerged = false;
  #lookedAt = 0;
  #savedAt = 0;
  #savedHour = 0;
  #working: Promise<unknown> = Promise.resolve();
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#folder = new HistoryFolder(options.dir);
  }

  /** Goes on where the process before this one ended. Never rejects: without a history it begins one. */
  async start(): Promise<void> {
    const now = this.#options.clock.now();
    await this.#attempt('the history of capacity cannot be read', async () => {
      const { part, rows, unreadable } = await this.#folder.load();
      this.#history = new History(part);
      this.#history.merge(rows, 'folder', now);
      if (unreadable.length > 0) this.#options.log.warn({ files: unreadable }, 'history of capacity: files left out');
    });
    this.#savedHour = Math.floor(now / HOUR_MS);
    await this.#inTurn(() => this.#look());
    this.#lookLater();
  }

  /** Writes what there is. A database that hangs is not waited for: the folder has it all. */
  async stop(): Promise<void> {
    const { clock } = this.#options;
    this.#stopped = true;
    this.#cancel?.();
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => (cancel = clock.after(STOP_MS, resolve)));
    const writing = this.#save(clock.now()).then(() => this.#inTurn(() => this.#write({ open: true })));
    await Promise.race([writing, late]);
    cancel();
  }

  /** Null before the first look. */
  get status(): CapacityStatus | null {
    return this.#status;
  }

  /** With the values of now. Null before the first look. */
  async report(): Promise<CapacityReport | null> {
    await this.#inTurn(async () => {
      const age = this.#options.clock.now() - this.#lookedAt;
      if (age >= FRESH_MS || age < 0) await this.#look();
      await this.#analyse();
    });
    return this.#report;
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      void this.#inTurn(() => this.#look()).finally(() => this.#lookLater());
    });
  }

  async #look(): Promise<void> {
    const { observe, clock } = this.#options;
    const now = clock.now();
    this.#lookedAt = now;
    await this.#attempt('what is in use cannot be seen', async () => {
      const observations = (await observe()).filter(({ value }) => Number.isFinite(value));
      this.#history.add(observations, now);
      for (const one of observations) this.#latest.set(`${one.resource}\n${one.scope}`, { ...one, seenAt: now });
    });
    for (const [name, { seenAt }] of this.#latest) if (seenAt < now - STALE_MS) this.#latest.delete(name);
    const isNewHour = Math.floor(now / HOUR_MS) !== Math.floor(this.#savedAt / HOUR_MS);
    if (isNewHour || now - this.#savedAt >= SAVE_MS || now < this.#savedAt) await this.#save(now);
    await this.#write({ open: false });
    if (isNewHour || this.#report === null) await this.#analyse();
  }

  async #save(now: number): Promise<void> {
    await this.#attempt('the history of capacity cannot be saved', async () => {
      await mkdir(this.#options.dir, { recursive: true, mode: 0o700 });
      await this.#folder.save(this.#history.part, this.#history.own(dayBegin(this.#savedHour)), now);
      this.#savedHour = Math.floor(now / HOUR_MS);
    });
    this.#savedAt = now; // also when it failed: a full disk is not asked again each minute
  }

  /** Brings to Postgres what it lacks. What comes while it is down waits in memory and in the folder. */
  async #write({ open }: { open: boolean }): Promise<void> {
    const { table, clock } = this.#options;
    if (table === null) return;
    const now = clock.now();
    const wasWell = this.#problem === null;
    try {
      if (!this.#isMerged) {
        this.#history.merge(await table.read(now), 'database', now);
        this.#isMerged = true;
      }
      const rows = this.#history.unwritten(now, { open });
      if (rows.length > 0) {
        await table.write(rows, now);
        this.#history.written(rows);
      }
      this.#problem = null;
      if (!wasWell) this.#options.log.info({ rows: rows.length }, 'the history of capacity is in Postgres again');
    } catch (err) {
      this.#problem = `Postgres does not take the history: ${err instanceof Error ? err.message : String(err)}`;
      if (wasWell) this.#options.log.warn({ err }, 'the history of capacity waits for Postgres');
    }
  }

  async #analyse(): Promise<void> {
    const { clock, table, deployment, threshold, horizonMs, dir, onReport } = this.#options;
    const now = clock.now();
    await this.#attempt('capacity cannot be looked ahead for', async () => {
      const found = await analyse({
        now,
        series: this.#history.series(),
        latest: [...this.#latest.values()],
        deployment: deployment(),
        threshold,
        horizonMs,
      });
      const waiting = table === null ? [] : this.#history.unwritten(now, { open: false });
      this.#report = {
        ...found,
        keptIn: table === null ? 'state folder' : 'postgres',
        unwrittenHours: new Set(waiting.map(({ hour }) => hour)).size,
        problem: this.#problem,
      };
      this.#status = capacityStatus(this.#report);
      onReport(this.#report);
      await replace(join(dir, REPORT_FILE), this.#report);
    });
  }

  /** One that fails must not keep the others from their turn, nor the supervisor from its work. */
  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      this.#options.log.warn({ err }, what);
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#working.then(work, work);
    this.#working = turn.catch(() => undefined);
    return turn;
  }
}
