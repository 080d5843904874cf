import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { IncidentType, Scope } from '../incidents';
import type { StepOutcome } from './actions';

/** One step that was taken. Times are ms since the epoch. */
export interface ActionRecord {
  at: number;
  /** null: by hand, where no incident was open. */
  incident: string | null;
  type: IncidentType;
  scope: Scope;
  step: string;
  /** Its place in the strategy, from 0. */
  index: number;
  /** null: it is still being done. */
  outcome: StepOutcome | null;
  endedAt: number | null;
  /** Did the condition clear after it? null: that is not known yet. */
  helped: boolean | null;
  /** Only said, not done. */
  dryRun: boolean;
  byHand: boolean;
}

/** Records are forgotten after so long, ms; hourly budgets and cool-downs are within it. */
const KEPT_MS = 3 * 60 * 60 * 1_000;
const MAX_RECORDS = 1_000;

/** What recovery has done lately: kept on disk, so that its limits hold across restarts of the supervisor. */
export class History {
  #records: ActionRecord[] = [];

  /** @param onError told when the file cannot be written; limits then hold until the supervisor ends */
  constructor(
    private readonly file: string,
    private readonly now: () => number,
    private readonly onError: (error: Error) => void,
  ) {
    this.#records = read(file).map((record) => ({
      ...record,
      at: Math.min(record.at, now()), // the clock may have been set back
      outcome: record.outcome ?? { ok: false, text: 'the supervisor ended meanwhile' },
      endedAt: record.endedAt ?? now(),
    }));
  }

  get records(): readonly ActionRecord[] {
    return this.#records;
  }

  /** @returns a function that changes the record later on */
  add(record: ActionRecord): (change: Partial<ActionRecord>) => void {
    const since = this.now() - KEPT_MS;
    this.#records = [...this.#records.filter(({ at }) => at > since), { ...record }].slice(-MAX_RECORDS);
    const kept = this.#records.at(-1);
    this.#write();
    return (change) => {
      if (kept !== undefined) this.change(kept, change);
    };
  }

  change(record: ActionRecord, change: Partial<ActionRecord>): void {
    Object.assign(record, change);
    this.#write();
  }

  #write(): void {
    try {
      writeFileSync(`${this.file}.new`, JSON.stringify({ version: VERSION, records: this.#records }), { mode: 0o600 });
      renameSync(`${this.file}.new`, this.file);
    } catch (error) {
      this.onError(error as Error);
    }
  }
}

const VERSION = 1;

function read(file: string): ActionRecord[] {
  try {
    const { version, records } = JSON.parse(readFileSync(file, 'utf8')) as { version: number; records: ActionRecord[] };
    return version === VERSION && Array.isArray(records) ? records : [];
  } catch {
    return []; // the first start, or a file that cannot be read
  }
}
