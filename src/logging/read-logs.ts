import { open, readFile, type FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { listLogFiles, type LogFile } from './log-files';

/** How often a followed folder is looked at, ms. */
const POLL_MS = 200;
const CHUNK_BYTES = 256 * 1024;

export interface LogLine {
  /** As in the file, without line end. */
  raw: string;
  record: Record<string, unknown>;
}

export interface ReadLogsOptions {
  dir: string;
  /** Only what this cluster said. */
  cluster?: number;
  /** Only lines at or after this moment, ms since the epoch. */
  since?: number;
  /** A further condition on the record of a line. */
  wanted?: (record: Record<string, unknown>) => boolean;
  /** How many of the last matching lines are shown first. */
  lines: number;
  /** Goes on with new lines until `signal` aborts; waits for files that do not exist yet and survives rotation. */
  follow: boolean;
  signal?: AbortSignal;
}

/** The last lines over all rotated files in order, then, with `follow`, every new one. Ends quietly on abort. */
export async function* readLogs(options: ReadLogsOptions): AsyncGenerator<LogLine, void, undefined> {
  const wanted = (line: LogLine): boolean => matches(line, options);
  const { lines, position } = await readTail(options.dir, options.lines, wanted);
  yield* lines;
  if (options.follow) yield* followFrom(options.dir, position, wanted, options.signal);
}

/** What has been read: all files before `number`, and `offset` bytes of it. */
interface Position {
  number: number;
  offset: number;
}

async function readTail(
  dir: string,
  count: number,
  wanted: (line: LogLine) => boolean,
): Promise<{ lines: LogLine[]; position: Position }> {
  const files = await listLogFiles(dir);
  const newest = files.at(-1);
  let position: Position = { number: newest?.number ?? 0, offset: 0 };
  let lines: LogLine[] = [];
  for (const file of files.reverse()) {
    const bytes = await readWhole(file);
    // Half a line at the end is still being written: follow will see it whole.
    const complete = bytes.subarray(0, bytes.lastIndexOf(10) + 1);
    if (file === newest) position = { number: file.number, offset: complete.length };
    const found = complete.toString('utf8').split('\n').flatMap(parseLine).filter(wanted);
    if (count > 0) lines = [...found.slice(-(count - lines.length)), ...lines];
    if (lines.length >= count) break;
  }
  return { lines, position };
}

async function readWhole(file: LogFile): Promise<Buffer> {
  try {
    return await readFile(file.path);
  } catch (error) {
    // Removed to make room between listing and reading.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

async function* followFrom(
  dir: string,
  start: Position,
  wanted: (line: LogLine) => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogLine, void, undefined> {
  const reader = new FollowedFile();
  let { number, offset } = start;
  try {
    while (signal?.aborted !== true) {
      // Listed before reading: if a newer file exists now, the current one is complete.
      const files = await listLogFiles(dir);
      const current = files.find((file) => file.number === number);
      if (current !== undefined && !reader.isOpen) await reader.open(current, offset);
      for (const line of await reader.readNew()) if (wanted(line)) yield line;
      const next = nextFile(files, number);
      if (next === undefined) {
        await delay(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      } else {
        await reader.close();
        number = next.number;
        offset = 0;
      }
    }
  } finally {
    await reader.close();
  }
}

/** The file after `number`; the first one when the folder was emptied and numbering began again. */
function nextFile(files: readonly LogFile[], number: number): LogFile | undefined {
  const later = files.find((file) => file.number > number);
  if (later !== undefined) return later;
  return files.some((file) => file.number === number) ? undefined : files[0];
}

/** Kept open while followed, so that a file removed by rotation can still be read to its end. */
class FollowedFile {
  #handle: FileHandle | null = null;
  #offset = 0;
  #rest = Buffer.alloc(0);

  get isOpen(): boolean {
    return this.#handle !== null;
  }

  async open(file: LogFile, offset: number): Promise<void> {
    this.#handle = await open(file.path, 'r').catch(() => null);
    this.#offset = offset;
  }

  async readNew(): Promise<LogLine[]> {
    if (this.#handle === null) return [];
    const lines: LogLine[] = [];
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, this.#offset);
      if (bytesRead === 0) return lines;
      this.#offset += bytesRead;
      const bytes = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(10) + 1;
      this.#rest = bytes.subarray(end);
      lines.push(...bytes.toString('utf8', 0, end).split('\n').flatMap(parseLine));
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
    this.#rest = Buffer.alloc(0);
  }
}

/** Half lines left by a crash or a full disk are skipped. */
function parseLine(raw: string): LogLine[] {
  if (raw === '') return [];
  try {
    const record: unknown = JSON.parse(raw);
    return typeof record === 'object' && record !== null ? [{ raw, record: record as Record<string, unknown> }] : [];
  } catch {
    return [];
  }
}

function matches({ record }: LogLine, { cluster, since, wanted }: ReadLogsOptions): boolean {
  if (wanted !== undefined && !wanted(record)) return false;
  if (cluster !== undefined && record['cluster'] !== cluster) return false;
  if (since === undefined) return true;
  const { time } = record;
  const at = typeof time === 'number' ? time : typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return at >= since;
}
