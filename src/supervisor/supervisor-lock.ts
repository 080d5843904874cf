import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processStartTime } from '../ipc/process-start-time';

/** What the pid file says; the other commands read it when the control socket does not answer. */
export interface SupervisorRecord {
  pid: number;
  startTime: string;
  version: string;
  state: 'starting' | 'running' | 'stopping';
  /** When `state` began, ms since the epoch. */
  since: number;
  startedAt: number;
  name: string;
  sandbox: boolean;
  http: string | null;
}

export const SUPERVISOR_FILE = 'supervisor.json';

/** Another supervisor owns the state folder. */
export class AlreadyRunningError extends Error {
  override readonly name = 'AlreadyRunningError';
  constructor(
    readonly pid: number,
    readonly stateDir: string,
  ) {
    super(`botctl already runs here as process ${pid} (state folder ${stateDir}).`);
  }
}

/** The pid file of a state folder, or null when there is none or it cannot be read. */
export function readSupervisorRecord(stateDir: string): SupervisorRecord | null {
  try {
    const record = JSON.parse(readFileSync(join(stateDir, SUPERVISOR_FILE), 'utf8')) as Partial<SupervisorRecord>;
    return typeof record.pid === 'number' && typeof record.startTime === 'string' ? (record as SupervisorRecord) : null;
  } catch {
    return null;
  }
}

/** True when the process that wrote the record still runs. */
export function isRunning(record: Pick<SupervisorRecord, 'pid' | 'startTime'>): boolean {
  return processStartTime(record.pid) === record.startTime;
}

/** Owner of a state folder: two supervisors cannot hold it at the same time. Released by `release` or by death. */
export class SupervisorLock {
  readonly #file: string;
  #record: SupervisorRecord;

  private constructor(
    private readonly stateDir: string,
    record: SupervisorRecord,
  ) {
    this.#file = join(stateDir, SUPERVISOR_FILE);
    this.#record = record;
  }

  /** @throws AlreadyRunningError */
  static acquire(stateDir: string, about: { version: string; name: string; sandbox: boolean }): SupervisorLock {
    const now = Date.now();
    const lock = new SupervisorLock(stateDir, {
      ...about,
      pid: process.pid,
      startTime: processStartTime(process.pid) ?? '',
      state: 'starting',
      since: now,
      startedAt: now,
      http: null,
    });
    lock.#acquire();
    return lock;
  }

  get record(): SupervisorRecord {
    return this.#record;
  }

  update(change: Partial<Pick<SupervisorRecord, 'state' | 'http'>>): void {
    const since = change.state === undefined ? this.#record.since : Date.now();
    this.#record = { ...this.#record, ...change, since };
    try {
      writeFileSync(this.#temp, JSON.stringify(this.#record), { mode: 0o600 });
      renameSync(this.#temp, this.#file);
    } catch {
      // a full disk: the lock itself is still ours, only its text is old
    }
  }

  release(): void {
    if (readSupervisorRecord(this.stateDir)?.pid === process.pid) rmSync(this.#file, { force: true });
  }

  get #temp(): string {
    return `${this.#file}.${process.pid}`;
  }

  #acquire(): void {
    writeFileSync(this.#temp, JSON.stringify(this.#record), { mode: 0o600 });
    try {
      if (this.#link()) return;
      this.#refuseIfHeld();
      this.#replaceStale();
    } finally {
      rmSync(this.#temp, { force: true });
    }
  }

  /** link() either makes the whole file or fails: nobody ever reads half a record. */
  #link(): boolean {
    try {
      linkSync(this.#temp, this.#file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  #refuseIfHeld(): void {
    const holder = readSupervisorRecord(this.stateDir);
    if (holder !== null && isRunning(holder)) throw new AlreadyRunningError(holder.pid, this.stateDir);
  }

  /** Of several starters that see the same stale file only the one that holds the takeover file may remove it. */
  #replaceStale(): void {
    const takeover = `${this.#file}.takeover`;
    try {
      writeFileSync(takeover, JSON.stringify(this.#record), { mode: 0o600, flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const other = readTakeover(takeover);
      if (other !== null && isRunning(other)) throw new AlreadyRunningError(other.pid, this.stateDir);
      rmSync(takeover, { force: true }); // its maker died in the middle
      return this.#replaceStale();
    }
    try {
      this.#refuseIfHeld();
      rmSync(this.#file, { force: true });
      if (!this.#link()) this.#refuseIfHeld();
    } finally {
      rmSync(takeover, { force: true });
    }
  }
}

function readTakeover(file: string): SupervisorRecord | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as SupervisorRecord;
  } catch {
    return null;
  }
}
