import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DeferLog } from './defer-log';
import type { Sync } from './durable-file';
import { syncFolder } from './durable-file';
import type { Entry } from './entry';
import { parseLine } from './entry';
import { codeOf } from './failure';
import { scan } from './record';
import { Segment } from './segment';

export interface LoadOptions {
  /** Where damaged records are set aside. */
  dir: string;
  owner: string;
  sync: Sync;
  log: DeferLog;
  /** Entries that are over and done with, whatever the files say. */
  settled: ReadonlySet<string>;
}

export interface Loaded {
  segments: Segment[];
  /** What is pending, in order. */
  entries: Entry[];
}

/** Reads the files of a journal that was taken over, oldest first, and mends them. Does not throw: what cannot be read stays. */
export async function loadSegments(files: readonly string[], options: LoadOptions): Promise<Loaded> {
  const segments: Segment[] = [];
  const home = new Map<string, { segment: Segment; entry: Entry }>();
  const damaged: Segment[] = [];
  for (const file of files) {
    const bytes = await read(file, options.log);
    const segment = new Segment(file, options.sync, { size: bytes?.length ?? 0 });
    segments.push(segment);
    if (bytes === null) {
      segment.pinned = true;
      continue;
    }
    const { payloads, corrupt, tornAt } = scan(bytes);
    if (tornAt !== null) await cutOff(file, bytes.length, tornAt, options);
    const bad = corrupt.map(({ start, end }) => bytes.subarray(start, end));
    for (const payload of payloads) {
      try {
        const line = parseLine(payload);
        if ('settled' in line) {
          home.get(line.settled)?.segment.settle(line.settled);
          home.delete(line.settled);
        } else if (!options.settled.has(line.entry.id)) {
          segment.add(line.entry);
          home.set(line.entry.id, { segment, entry: line.entry });
        }
      } catch {
        bad.push(Buffer.from(payload)); // whole, and yet not for us: of another version
      }
    }
    if (bad.length === 0) continue;
    if (await setAside(bad, file, options)) damaged.push(segment);
    else segment.pinned = true;
  }
  for (const segment of damaged) await segment.rewrite().catch(() => undefined); // set aside again under the same name
  return { segments, entries: Array.from(home.values(), ({ entry }) => entry) };
}

async function read(file: string, log: DeferLog): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    log('error', `${file} cannot be read (${codeOf(error)}) and is left as it is`);
    return null;
  }
}

async function cutOff(file: string, size: number, tornAt: number, { log }: LoadOptions): Promise<void> {
  log('warn', `${basename(file)}: cut off ${size - tornAt} bytes of a record that was never finished nor acknowledged`);
  await truncate(file, tornAt).catch(() => undefined); // else it is found torn again
}

/** Puts the bytes into files of their own, named after what is in them: doing it twice makes one. */
async function setAside(pieces: readonly Buffer[], file: string, { dir, owner, log }: LoadOptions): Promise<boolean> {
  for (const bytes of pieces) {
    const sum = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    const target = join(dir, `${owner}-${sum}.corrupt`);
    try {
      await writeOnce(target, bytes);
      log('error', `${basename(file)}: ${bytes.length} bytes are damaged; they are set aside in ${target}`);
    } catch (error) {
      log('error', `${file}: ${bytes.length} bytes are damaged; the file is kept (${codeOf(error)} in ${dir})`);
      return false;
    }
  }
  return true;
}

async function writeOnce(target: string, bytes: Buffer): Promise<void> {
  if (await exists(target)) return;
  const temporary = `${target}.${String(process.pid)}.tmp`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(temporary, target);
  await syncFolder(dirname(target));
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
