import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RestGuardStatus } from '../../control/contract';
import { processStartTime } from '../../ipc/process-start-time';
import type { RestEvent } from '../../rest-guard/events';
import type { GuardSettings } from '../../rest-guard/settings';
import type { GuardReport, GuardSnapshot } from '../../rest-guard/stats';
import { fetchGuardReport, slowGuard } from './client';

/** What the supervisor adds to the guard's own events. */
export type RestGuardEvent =
  | RestEvent
  | { type: 'rest.guard-up'; pid: number; adopted: boolean }
  | { type: 'rest.guard-down'; reason: string; retryMs: number };

export interface RestGuardProcessOptions {
  stateDir: string;
  settings: GuardSettings;
  /** Of botctl: a guard of another version is replaced. */
  version: string;
  /** Environment of the guard; nothing of the bot's. */
  env: NodeJS.ProcessEnv;
  emit: (event: RestGuardEvent) => void;
}

interface GuardRecord {
  pid: number;
  startTime: string;
  version: string;
  settings: GuardSettings;
}

/** How often the guard is asked how it is, ms, and how long it has for its answer. */
const WATCH_MS = 1_000;
const ANSWER_MS = 1_000;
/**
 * Silent for so long, ms, it is killed. Not sooner: on a machine with too much to do it is only slow, the clusters go
 * their own way meanwhile, and whatever it has sent to Discord loses its answer.
 */
const HANG_MS = 10_000;
const START_TIMEOUT_MS = 10_000;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 30_000;
/** A guard that has served for so long is started again at once, ms. */
const STABLE_MS = 60_000;
/** Time for the requests under way when the guard is replaced or stopped, ms. */
const STOP_TIMEOUT_MS = 6_000;
const POLL_MS = 20;
/** Of what the guard printed before its death. */
const MAX_LAST_WORDS = 500;

/**
 * The REST guard's process: started, watched, started again. Like the clusters it outlives a supervisor that is killed;
 * the next one takes it over, or replaces it when the settings have changed.
 */
export class RestGuardProcess {
  #record: GuardRecord | null = null;
  #snapshot: GuardSnapshot | null = null;
  #down: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  /** When it last answered, ms since the epoch. */
  #heardAt = 0;
  #failures = 0;
  #restarts = 0;
  #upSince = 0;
  #seenEvent = 0;

  constructor(private readonly options: RestGuardProcessOptions) {}

  get status(): RestGuardStatus {
    const record = this.#record;
    return {
      state: this.#down === null && record !== null ? 'up' : 'down',
      pid: record?.pid ?? null,
      restarts: this.#restarts,
      message: this.#down,
      figures: this.#snapshot,
    };
  }

  /** Resolves when the guard serves, or has failed once: the clusters can do without it. */
  async start(): Promise<void> {
    const previous = this.#readRecord();
    if (previous !== null && isAlive(previous)) {
      const same = previous.version === this.options.version && sameSettings(previous.settings, this.options.settings);
      if (same && (await this.#look(previous))) {
        this.#up(previous, true);
        return;
      }
      await end(previous);
    }
    await this.#launch();
  }

  /** Only this share of Discord's limit is used for so long, ms. Rejects when the guard does not answer. */
  slow(share: number, forMs: number): Promise<void> {
    return slowGuard(this.options.settings.socketPath, share, forMs, ANSWER_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const record = this.#record;
    this.#record = null;
    rmSync(this.#file, { force: true });
    if (record !== null) await end(record);
  }

  async #launch(): Promise<void> {
    try {
      const record = await this.#spawn();
      if (this.#isStopped()) {
        await end(record);
        return;
      }
      await this.#keep(record);
      this.#seenEvent = 0;
      this.#up(record, false);
    } catch (error) {
      this.#failed(`it could not be started: ${(error as Error).message}`);
    }
  }

  #up(record: GuardRecord, adopted: boolean): void {
    this.#record = record;
    this.#down = null;
    this.#heardAt = this.#upSince = Date.now();
    this.options.emit({ type: 'rest.guard-up', pid: record.pid, adopted });
    this.#watch();
  }

  #watch(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#check(), WATCH_MS).unref();
  }

  async #check(): Promise<void> {
    const record = this.#record;
    if (record === null) return;
    const answers = await this.#look(record);
    if (this.#isStopped()) return;
    if (!isAlive(record)) {
      this.#failed(`it ended${this.#lastWords()}`);
      return;
    }
    if (answers) {
      this.#heardAt = Date.now();
      if (Date.now() - this.#upSince > STABLE_MS) this.#failures = 0;
    } else if (Date.now() - this.#heardAt >= HANG_MS) {
      kill(record, 'SIGKILL');
      this.#failed(`it did not answer for ${HANG_MS / 1_000} s`);
      return;
    }
    this.#watch();
  }

  /** For the next supervisor. One that it could not find is ended rather than left behind. */
  async #keep(record: GuardRecord): Promise<void> {
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      await end(record);
      throw error;
    }
  }

  /** Asks for the report. False: no answer in time. */
  async #look(record: GuardRecord): Promise<boolean> {
    let report: GuardReport;
    try {
      report = await fetchGuardReport(this.options.settings.socketPath, this.#seenEvent, ANSWER_MS);
    } catch {
      return false;
    }
    if (report.snapshot.pid !== record.pid) return false;
    this.#snapshot = report.snapshot;
    for (const event of report.events) {
      this.#seenEvent = event.seq;
      this.options.emit(event);
    }
    return true;
  }

  #failed(reason: string): void {
    if (this.#stopped) return;
    this.#record = null;
    this.#snapshot = null;
    this.#down = reason;
    const retryMs = this.#failures === 0 ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#failures);
    this.#failures++;
    this.#restarts++;
    this.options.emit({ type: 'rest.guard-down', reason, retryMs });
    this.#timer = setTimeout(() => void this.#launch(), retryMs).unref();
  }

  async #spawn(): Promise<GuardRecord> {
    const { settings, env, version } = this.options;
    // A file, not a pipe: the guard may outlive its reader.
    const errors = openSync(this.#errorFile, 'w', 0o600);
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [join(__dirname, '..', '..', 'rest-guard', 'main.js')], {
        stdio: ['pipe', 'pipe', errors],
        detached: true,
        env,
      });
    } finally {
      closeSync(errors);
    }
    child.on('error', () => undefined);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(JSON.stringify(settings));
    if (!(await listens(child))) throw new Error(this.#lastWords() || 'it ended without a word');
    const pid = child.pid ?? 0;
    child.stdout?.destroy();
    child.unref();
    return { pid, startTime: processStartTime(pid) ?? '', version, settings };
  }

  #lastWords(): string {
    try {
      const text = readFileSync(this.#errorFile, 'utf8').trim();
      return text === '' ? '' : `: ${text.slice(0, MAX_LAST_WORDS)}`;
    } catch {
      return '';
    }
  }

  /** A method, since the flag may change during an await. */
  #isStopped(): boolean {
    return this.#stopped;
  }

  get #file(): string {
    return join(this.options.stateDir, 'rest-guard.json');
  }

  get #errorFile(): string {
    return join(this.options.stateDir, 'rest-guard.err');
  }

  #readRecord(): GuardRecord | null {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8')) as GuardRecord;
    } catch {
      return null;
    }
  }
}

/** True when the guard has said that it listens; false when it ended before. */
async function listens(child: ChildProcess): Promise<boolean> {
  if (child.stdout === null) return false;
  const lines = createInterface({ input: child.stdout });
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  try {
    return await Promise.race([once(lines, 'line').then(() => true), once(lines, 'close').then(() => false)]);
  } finally {
    clearTimeout(timer);
    lines.close();
  }
}

function isAlive({ pid, startTime }: GuardRecord): boolean {
  return processStartTime(pid) === startTime;
}

function kill(record: GuardRecord, signal: NodeJS.Signals): void {
  try {
    if (isAlive(record)) process.kill(record.pid, signal);
  } catch {
    // ended between the two
  }
}

async function end(record: GuardRecord): Promise<void> {
  kill(record, 'SIGTERM');
  for (const until = Date.now() + STOP_TIMEOUT_MS; Date.now() < until && isAlive(record);) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  kill(record, 'SIGKILL');
}

function sameSettings(a: GuardSettings, b: GuardSettings): boolean {
  const sorted = (settings: GuardSettings): string => JSON.stringify(Object.entries(settings).sort());
  return sorted(a) === sorted(b);
}
