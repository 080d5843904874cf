import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { writeFileWhole } from '../write-file';
import { DeployError } from '../deploy-error';
import { processStartTime } from '../../ipc/process-start-time';
import { TreeDigest } from './digest';
import { LIVE, type CurrentRelease, type Release } from './release';
import { walkTree, type TreeEntry } from './tree';

const RECORD = 'release.json';
const APP = 'app';
const CURRENT = 'current.json';
const ID = /^[0-9a-f]{12}$/;
/** Folder in which a release is being made: names its maker, so that what a dead one left is recognised. */
const DRAFT = /^\.new-(\d+)-(\w+)-/;
/** The supervisor has other things to do after so long, ms. */
const SLICE_MS = 5;

/** The releases in a state folder. Written by `botctl deploy`, read by the supervisor; every change is atomic. */
export class ReleaseStore {
  readonly dir: string;

  constructor(stateDir: string) {
    this.dir = join(stateDir, 'releases');
  }

  /** Newest first. A folder without a whole record is none. */
  list(): Release[] {
    return this.#ids()
      .flatMap((id) => this.get(id) ?? [])
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  get(id: string): Release | null {
    if (!ID.test(id)) return null;
    try {
      const release = JSON.parse(readFileSync(join(this.dir, id, RECORD), 'utf8')) as Release;
      return release.id === id && typeof release.entry === 'string' ? release : null;
    } catch {
      return null;
    }
  }

  /** One release by its id or the beginning of it. @throws DeployError */
  find(text: string): Release {
    const fits = this.list().filter(({ id }) => id.startsWith(text));
    const [release] = fits;
    if (release !== undefined && fits.length === 1) return release;
    const what = fits.length === 0 ? `there is no release ${text}` : `${text} could be ${fits.length} releases`;
    throw new DeployError(what, 'See: botctl releases');
  }

  /** Root of a release's files. */
  appDir(id: string): string {
    return join(this.dir, id, APP);
  }

  get current(): CurrentRelease {
    try {
      const record = JSON.parse(readFileSync(join(this.dir, CURRENT), 'utf8')) as Partial<CurrentRelease>;
      if (typeof record.current === 'string' && typeof record.since === 'number') {
        return { current: record.current, previous: record.previous ?? null, since: record.since };
      }
    } catch {
      // nothing was deployed yet
    }
    return { current: LIVE, previous: null, since: 0 };
  }

  /** From now on `start` uses this release. The one before it becomes the one to roll back to. */
  setCurrent(id: string, now: number): void {
    const { current, previous } = this.current;
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    const record: CurrentRelease = { current: id, previous: current === id ? previous : current, since: now };
    writeFileWhole(join(this.dir, CURRENT), JSON.stringify(record));
  }

  /** An empty folder in which a release is made; `add` or `discard` it. */
  async draft(): Promise<string> {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    await this.#sweepDrafts();
    const dir = mkdtempSync(join(this.dir, `.new-${process.pid}-${stamp(process.pid)}-`));
    mkdirSync(join(dir, APP));
    return dir;
  }

  draftApp(draft: string): string {
    return join(draft, APP);
  }

  discard(draft: string): Promise<void> {
    return removeTree(draft);
  }

  /** Makes a draft a release, once it is complete. */
  async add(draft: string, release: Release, entries: readonly TreeEntry[]): Promise<void> {
    const app = join(draft, APP);
    for (const { kind, path } of entries) if (kind === 'folder') chmodSync(join(app, path), 0o555);
    chmodSync(app, 0o555);
    writeFileWhole(join(draft, RECORD), JSON.stringify(release, null, 2));
    try {
      renameSync(draft, join(this.dir, release.id));
    } catch (error) {
      // Another deploy of the same code was faster.
      if (this.get(release.id) === null) throw error;
      await this.discard(draft);
    }
  }

  /** Why a release cannot be run any more, or null: something has changed it, or taken from it. */
  async damage(release: Release): Promise<string | null> {
    const app = this.appDir(release.id);
    const digest = new TreeDigest(app);
    try {
      let until = performance.now() + SLICE_MS;
      for (const entry of walkTree(app)) {
        digest.add(entry);
        if (performance.now() < until) continue;
        await breathe();
        until = performance.now() + SLICE_MS;
      }
      if (digest.hex === release.digest) return null;
      return `release ${release.id} is not what it was when it was made: its files have been changed`;
    } catch (error) {
      return `release ${release.id} cannot be read: ${(error as Error).message}`;
    }
  }

  /** Removes all but the newest `keep` releases and those in use. Returns what was removed. */
  async prune(keep: number, inUse: ReadonlySet<string>): Promise<string[]> {
    const { current, previous } = this.current;
    const spared = new Set([...inUse, current, previous]);
    const releases = this.list();
    const kept = releases.filter(({ id }, index) => index < keep || spared.has(id));
    const gone = releases.filter((release) => !kept.includes(release)).map(({ id }) => id);
    // All at once, before anything is waited for: half a release is never taken for one, nor is one that is about to go.
    for (const id of gone) renameSync(join(this.dir, id), join(this.dir, `.gone-${id}-${randomUUID()}`));
    for (const name of this.#names()) if (name.startsWith('.gone-')) await removeTree(join(this.dir, name));
    await this.#sweepDrafts();
    return gone;
  }

  #ids(): string[] {
    return this.#names().filter((name) => ID.test(name));
  }

  #names(): string[] {
    return existsSync(this.dir) ? readdirSync(this.dir) : [];
  }

  async #sweepDrafts(): Promise<void> {
    for (const name of this.#names()) {
      const [, pid, startTime] = DRAFT.exec(name) ?? [];
      if (pid === undefined || stamp(Number(pid)) === startTime) continue;
      await removeTree(join(this.dir, name));
    }
  }
}

function stamp(pid: number): string {
  return processStartTime(pid)?.replace(/\W/g, '_') ?? 'gone';
}

/** Folders of a release cannot be written to, so they must be opened before what is in them can go. */
async function removeTree(dir: string): Promise<void> {
  if (!existsSync(dir)) return;
  const open = async (folder: string): Promise<void> => {
    await chmod(folder, 0o700);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await open(join(folder, entry.name));
    }
  };
  await open(dir);
  await rm(dir, { recursive: true, force: true });
}
