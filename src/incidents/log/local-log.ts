import { appendFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Incident, Signal } from '../types';
import type { LogRecord, LogState, Silence, ToldByTarget } from './records';

export interface LocalLogOptions {
  /** Folder of the file; made (0700) when it is not there. */
  dir: string;
  onError: (error: unknown) => void;
}

const FILE = 'incidents.jsonl';
/** The file is written anew when it has grown to so much, bytes. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Resolved ones that are kept here; all are in Postgres. */
const MAX_RESOLVED = 200;

/**
 * The incidents in a file in the state folder, a line for each change: they outlive the supervisor, and are there while
 * Postgres is not. Lines are written in their order; a disk that fails costs lines, never anybody's time.
 */
export class LocalLog {
  readonly #options: LocalLogOptions;
  #queue: string[] = [];
  #writing: Promise<void> | null = null;
  #bytes = 0;
  #state: LogState = emptyState();

  constructor(options: LocalLogOptions) {
    this.#options = options;
  }

  get file(): string {
    return join(this.#options.dir, FILE);
  }

  /** Reads what is there. What cannot be read is left out. */
  async load(): Promise<LogState> {
    const { dir, onError } = this.#options;
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      this.#state = await readLog(dir);
      this.#bytes = (await stat(this.file).catch(() => ({ size: 0 }))).size;
      await this.#compact();
    } catch (error) {
      onError(error);
    }
    return this.#state;
  }

  /** Resolves when the line is in the file, or cannot be brought there. */
  append(record: LogRecord): Promise<void> {
    take(this.#state, record);
    this.#queue.push(`${JSON.stringify(record)}\n`);
    this.#writing ??= this.#write();
    return this.#writing;
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // everything of this turn goes together
    while (this.#queue.length > 0) {
      const text = this.#queue.join('');
      this.#queue = [];
      try {
        await appendFile(this.file, text, { mode: 0o600 });
        this.#bytes += Buffer.byteLength(text);
        if (this.#bytes > MAX_BYTES) await this.#compact();
      } catch (error) {
        this.#options.onError(error);
      }
    }
    this.#writing = null;
  }

  async #compact(): Promise<void> {
    prune(this.#state);
    const text = linesOf(this.#state);
    await writeFile(`${this.file}.new`, text, { mode: 0o600 });
    await rename(`${this.file}.new`, this.file);
    this.#bytes = Buffer.byteLength(text);
  }
}

/** What the file says, also without a supervisor. @throws Error of the disk, other than that there is none */
export async function readLog(dir: string): Promise<LogState> {
  let text = '';
  try {
    text = await readFile(join(dir, FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const state = emptyState();
  for (const line of text.split('\n')) {
    const record = parse(line);
    if (record !== null) take(state, record);
  }
  return state;
}

function emptyState(): LogState {
  return { incidents: [], told: new Map<string, ToldByTarget>(), silences: [], signals: [] };
}

/** A line that a crash has torn is no record. */
function parse(line: string): LogRecord | null {
  if (line === '') return null;
  try {
    const record = JSON.parse(line) as LogRecord;
    return typeof record === 'object' && 'kind' in record ? record : null;
  } catch {
    return null;
  }
}

function take(state: LogState, record: LogRecord): void {
  switch (record.kind) {
    case 'incident':
      replace(state.incidents, record.incident, ({ id }) => id);
      break;
    case 'told':
      state.told.set(record.id, record.told);
      break;
    case 'silence':
      replace(state.silences, record.silence, ({ id }) => id);
      break;
    case 'signal':
      state.signals = state.signals.filter((one) => signalKey(one) !== signalKey(record.signal));
      if (record.signal.holds) state.signals.push(record.signal);
      break;
  }
}

export function signalKey({ type, scope, name }: Pick<Signal, 'type' | 'scope' | 'name'>): string {
  return `${type} ${scope} ${name ?? ''}`;
}

function replace<T>(list: T[], item: T, key: (item: T) => string): void {
  const index = list.findIndex((one) => key(one) === key(item));
  if (index !== -1) list.splice(index, 1);
  list.push(item);
}

function prune(state: LogState): void {
  const isOver = ({ state: one }: Incident): boolean => one === 'resolved';
  const resolved = state.incidents.filter(isOver);
  const old = new Set(resolved.slice(0, Math.max(0, resolved.length - MAX_RESOLVED)));
  state.incidents = state.incidents.filter((one) => !old.has(one));
  const kept = new Set(state.incidents.map(({ id }) => id));
  for (const id of state.told.keys()) if (!kept.has(id)) state.told.delete(id);
  const now = Date.now();
  state.silences = state.silences.filter(({ until }: Silence) => until > now);
}

function linesOf(state: LogState): string {
  const records: LogRecord[] = [
    ...state.incidents.map((incident): LogRecord => ({ kind: 'incident', incident })),
    ...[...state.told].map(([id, told]): LogRecord => ({ kind: 'told', id, told })),
    ...state.silences.map((silence): LogRecord => ({ kind: 'silence', silence })),
    ...state.signals.map((signal): LogRecord => ({ kind: 'signal', signal })),
  ];
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}
