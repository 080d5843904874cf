import { randomBytes } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { processStartTime } from '../../ipc/process-start-time';
import { syncFolder } from './durable-file';

const NAME = /^(?<owner>[\w.-]+)~(?<pid>\d+)~(?<startTime>\w+)~(?<born>\d+-[0-9a-f]+)\.journal$/;
const OWNER = /^\w[\w.-]{0,63}$/;
const SEGMENT = /^\d{10}\.log$/;
const ADOPTED = /^adopted-\d{6}$/;
/** What was adopted, and comes before the files of the folder itself. */
const ELDER = /^elder-\d{6}$/;
/** Process 0 is none: the journal belongs to whoever comes. */
const NOBODY = { pid: 0, startTime: '0' };

interface Name {
  owner: string;
  pid: number;
  startTime: string;
  /** When it was made (ms since the epoch, then at random): orders those of one owner. */
  born: string;
}

export function segmentName(number: number): string {
  return `${String(number).padStart(10, '0')}.log`;
}

/**
 * The folder that holds the files of one process. Its name says whose it is, so it is taken over whole by one rename:
 * of several that try, one succeeds. It is moved into the folder of the new owner, which may die at once: whoever takes
 * that over has both.
 */
export class JournalFolder {
  #path: string;
  #adopted = 0;

  private constructor(
    private readonly dir: string,
    private readonly name: Name,
  ) {
    this.#path = join(dir, format(name));
  }

  /** @param owner letters, digits, `_`, `-` and `.`; at most 64 @throws RangeError, or Error of the disk */
  static async create(dir: string, owner: string, now: number): Promise<JournalFolder> {
    if (!OWNER.test(owner)) throw new RangeError(`"${owner}" cannot be the owner's name of a journal`);
    const startTime = startTimeOf(process.pid);
    if (startTime === null) throw new Error('cannot tell when this process started');
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await chmod(dir, 0o700);
    const born = `${String(now)}-${randomBytes(4).toString('hex')}`;
    const folder = new JournalFolder(dir, { owner, pid: process.pid, startTime, born });
    await mkdir(folder.path, { mode: 0o700 });
    await syncFolder(dir);
    return folder;
  }

  get path(): string {
    return this.#path;
  }

  /** Names the journal for good, whoever has it. */
  get born(): string {
    return this.name.born;
  }

  /**
   * Takes over the journals of dead processes whose owner's name is accepted.
   * @returns their files, oldest first @throws Error of the disk
   */
  async adopt(accepts: (owner: string) => boolean): Promise<string[]> {
    const names = await namesIn(this.dir);
    return this.#take(
      names.filter((name) => accepts(name.owner) && !isAlive(name)),
      'adopted',
    );
  }

  /**
   * Takes over one journal, whose statements come before our own, once its process is dead.
   * @returns its files, oldest first; none when another one has it, or there is none any more; null: its process lives.
   * @throws Error of the disk
   */
  async adoptElder(born: string): Promise<string[] | null> {
    const elders = (await namesIn(this.dir)).filter((name) => name.born === born);
    return elders.some(isAlive) ? null : this.#take(elders, 'elder');
  }

  async #take(dead: Name[], as: 'adopted' | 'elder'): Promise<string[]> {
    const files: string[] = [];
    for (const name of dead.sort((a, b) => a.born.localeCompare(b.born, 'en', { numeric: true }))) {
      this.#adopted += 1;
      const target = join(this.path, `${as}-${String(this.#adopted).padStart(6, '0')}`);
      if (await renamed(join(this.dir, format(name)), target)) files.push(...(await listSegments(target)));
    }
    if (files.length > 0) {
      await syncFolder(this.path);
      await syncFolder(this.dir);
    }
    return files;
  }

  /**
   * Moves the files of adopted folders up, oldest first, so that folders do not nest deeper with each crash. Only before
   * there are files of our own: these come after. @returns the new paths @throws Error of the disk
   */
  async flatten(files: readonly string[]): Promise<string[]> {
    const moved: string[] = [];
    for (const file of files) {
      const target = join(this.path, segmentName(moved.length + 1));
      await rename(file, target);
      moved.push(target);
    }
    for (const { name } of await readdir(this.path, { withFileTypes: true })) {
      if (ADOPTED.test(name) || ELDER.test(name)) await rm(join(this.path, name), { recursive: true, force: true });
    }
    await syncFolder(this.path);
    return moved;
  }

  /** Leaves it to the next who comes. @throws Error of the disk */
  async release(): Promise<void> {
    const target = join(this.dir, format({ ...this.name, ...NOBODY }));
    await rename(this.path, target);
    this.#path = target;
    await syncFolder(this.dir);
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Whose journals lie there, and whether the process of each still lives. @throws Error of the disk */
export async function listJournals(dir: string): Promise<{ owner: string; alive: boolean }[]> {
  const names = await namesIn(dir).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // nobody has deferred anything yet
    throw error;
  });
  return names.map((name) => ({ owner: name.owner, alive: isAlive(name) }));
}

async function namesIn(dir: string): Promise<Name[]> {
  return (await readdir(dir)).flatMap((text) => parse(text) ?? []);
}

function isAlive({ pid, startTime }: Name): boolean {
  return startTimeOf(pid) === startTime;
}

/** The files in a folder in the order of what is in them; removes rewrites that were not finished. */
async function listSegments(folder: string): Promise<string[]> {
  const items = (await readdir(folder, { withFileTypes: true })).sort(byName);
  const files: string[] = [];
  for (const item of items) {
    if (item.isDirectory() && ELDER.test(item.name)) files.push(...(await listSegments(join(folder, item.name))));
  }
  for (const item of items) {
    if (item.isFile() && SEGMENT.test(item.name)) files.push(join(folder, item.name));
    else if (item.isFile() && item.name.endsWith('.tmp')) await rm(join(folder, item.name), { force: true });
  }
  for (const item of items) {
    if (item.isDirectory() && ADOPTED.test(item.name)) files.push(...(await listSegments(join(folder, item.name))));
  }
  return files;
}

function byName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1;
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false; // another one was faster
    throw error;
  }
}

/** Fit for a file name; null when there is no such process. */
function startTimeOf(pid: number): string | null {
  return pid === NOBODY.pid ? null : (processStartTime(pid)?.replace(/\W+/g, '_') ?? null);
}

function format({ owner, pid, startTime, born }: Name): string {
  return `${owner}~${String(pid)}~${startTime}~${born}.journal`;
}

function parse(text: string): Name | null {
  const { owner, pid, startTime, born } = NAME.exec(text)?.groups ?? {};
  if (owner === undefined || pid === undefined || startTime === undefined || born === undefined) return null;
  return { owner, pid: Number(pid), startTime, born };
}
