import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { SnapshotError } from './errors';
import type { FooterRecord } from './format';

const WRITE_BYTES = 256 * 1024;
const READ_BYTES = 256 * 1024;
const FOOTER_MAX_BYTES = 256;
const NEWLINE = 10;

/** Writes a file of lines under a temporary name (0600); only `commit` gives it its real one. */
export class RecordWriter {
  readonly #hash = createHash('sha1');
  #pending: string[] = [];
  #pendingLength = 0;
  #lines = 0;
  #bytes = 0;

  private constructor(
    private readonly handle: FileHandle,
    private readonly temporary: string,
    private readonly file: string,
  ) {}

  static async create(file: string): Promise<RecordWriter> {
    const temporary = `${file}.tmp`;
    // A leftover could have wider permissions, or be a link; it is never written into.
    await rm(temporary, { force: true });
    return new RecordWriter(await open(temporary, 'wx', 0o600), temporary, file);
  }

  /** Takes one record. When it returns true, `flush` should be awaited before the next. */
  add(record: object): boolean {
    const line = JSON.stringify(record);
    this.#pending.push(line, '\n');
    this.#pendingLength += line.length + 1;
    this.#lines += 1;
    return this.#pendingLength >= WRITE_BYTES;
  }

  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const bytes = Buffer.from(this.#pending.join(''), 'utf8');
    this.#pending = [];
    this.#pendingLength = 0;
    this.#hash.update(bytes);
    await this.#write(bytes);
  }

  /** Writes the footer and puts the file in its place. Returns its size in bytes. */
  async commit(): Promise<number> {
    await this.flush();
    const footer: FooterRecord = { k: 'footer', lines: this.#lines, sha1: this.#hash.digest('hex') };
    await this.#write(Buffer.from(JSON.stringify(footer) + '\n', 'utf8'));
    await this.handle.close();
    await rename(this.temporary, this.file);
    return this.#bytes;
  }

  /** Gives up: removes what was written so far. Does not throw. */
  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await rm(this.temporary, { force: true }).catch(() => undefined);
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += (await this.handle.write(bytes, done)).bytesWritten;
    }
    this.#bytes += bytes.length;
  }
}

/** The lines of a file without their line ends, read piece by piece. The last line must be ended as well. */
export async function* readLines(handle: FileHandle, end: number): AsyncGenerator<string, void, void> {
  let rest: Buffer[] = [];
  for await (const bytes of readChunks(handle, end)) {
    let start = 0;
    for (let stop = bytes.indexOf(NEWLINE); stop !== -1; stop = bytes.indexOf(NEWLINE, start)) {
      const tail = bytes.subarray(start, stop);
      yield (rest.length > 0 ? Buffer.concat([...rest, tail]) : tail).toString('utf8');
      rest = [];
      start = stop + 1;
    }
    if (start < bytes.length) rest.push(bytes.subarray(start));
  }
}

/**
 * Checks the footer and the checksum of a file. Returns the number of bytes before the footer.
 * @throws {SnapshotError} when the file is truncated or altered
 */
export async function verifyRecords(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const tail = Buffer.alloc(Math.min(size, FOOTER_MAX_BYTES));
  await handle.read(tail, 0, tail.length, size - tail.length);
  if (tail.at(-1) !== NEWLINE) throw new SnapshotError('the snapshot is truncated: it has no footer');
  const footerStart = tail.lastIndexOf(NEWLINE, tail.length - 2) + 1;
  const footer = parseFooter(tail.toString('utf8', footerStart));

  const end = size - tail.length + footerStart;
  const hash = createHash('sha1');
  let lines = 0;
  for await (const bytes of readChunks(handle, end)) {
    hash.update(bytes);
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  }
  if (lines !== footer.lines) {
    throw new SnapshotError(`the snapshot is incomplete: ${lines} of ${footer.lines} lines`);
  }
  if (hash.digest('hex') !== footer.sha1) throw new SnapshotError('the snapshot was altered: its checksum is wrong');
  return end;
}

function parseFooter(line: string): FooterRecord {
  let footer: Partial<FooterRecord> | null;
  try {
    footer = JSON.parse(line) as Partial<FooterRecord> | null;
  } catch {
    footer = null;
  }
  if (footer?.k !== 'footer' || typeof footer.lines !== 'number' || typeof footer.sha1 !== 'string') {
    throw new SnapshotError('the snapshot is truncated: it has no footer');
  }
  return footer as FooterRecord;
}

async function* readChunks(handle: FileHandle, end: number): AsyncGenerator<Buffer, void, void> {
  for (let position = 0; position < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
