import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, statSync, symlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { DeployError } from '../deploy-error';
import { runBuild, type BuildOptions } from './build';
import { copyTree, type CopyResult } from './copy';
import { digestTree } from './digest';
import { checkOut, resolveCommit } from './git';
import type { Release } from './release';
import type { ReleaseStore } from './store';
import { readTree, type TreeEntry } from './tree';

/** Where the bot is in its own folder, all absolute. */
export interface Project {
  root: string;
  entry: string;
  cwd: string;
}

export interface MakeOptions {
  store: ReleaseStore;
  project: Project;
  source: { kind: 'folder'; path: string } | { kind: 'git'; ref: string };
  build: string | null;
  buildEnv: NodeJS.ProcessEnv;
  output: BuildOptions['output'];
  /** Paths below the root that stay where they are; a release gets a link to them. */
  shared: readonly string[];
  /** Absolute paths that never belong to a release. */
  without: readonly string[];
  now: () => number;
  signal: AbortSignal;
  /** One line for the operator; `warning`: something to look at. */
  say: (text: string, warning?: boolean) => void;
}

export interface Made {
  release: Release;
  /** false: there was one of the same code already. */
  isNew: boolean;
}

/** Free space that is left alone, bytes. */
const DISK_MARGIN = 64 * 1024 * 1024;
const LOCK_FILES = ['package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb'];
/** What looks as if the bot wrote it. */
const LOOKS_WRITTEN = /\.(sqlite3?|db|log)(-wal|-shm|-journal)?$/i;

/** Makes a release of a folder or a commit, or finds the one that has the same code. @throws DeployError */
export async function makeRelease(options: MakeOptions): Promise<Made> {
  const draft = await options.store.draft();
  try {
    return await new Making(options, draft).run();
  } finally {
    await options.store.discard(draft);
  }
}

class Making {
  readonly #app: string;

  constructor(
    private readonly options: MakeOptions,
    private readonly draft: string,
  ) {
    this.#app = options.store.draftApp(draft);
  }

  async run(): Promise<Made> {
    const { store, project, build, say } = this.options;
    const { source, result } = await this.#fill();
    this.#share();
    const place = { entry: within(project.root, project.entry), cwd: within(project.root, project.cwd) };
    if (place.entry === null) throw outside(project);
    const sourceDigest = digestTree(this.#app, readTree(this.#app));
    const id = hashOf([sourceDigest, build, place.entry, place.cwd]).slice(0, 12);
    const known = store.get(id);
    if (known !== null) return { release: known, isNew: false };
    if (build !== null) await this.#build(build);
    const entries = readTree(this.#app);
    this.#check(place.entry, entries);
    const release: Release = {
      id,
      createdAt: this.options.now(),
      source,
      build,
      entry: place.entry,
      cwd: place.cwd,
      version: versionOf(this.#app),
      node: process.version,
      changedAt: lastChange(entries),
      files: entries.filter(({ kind }) => kind === 'file').length,
      bytes: build === null ? result.bytes : ownBytes(entries),
      digest: build === null ? sourceDigest : digestTree(this.#app, entries),
    };
    this.options.signal.throwIfAborted();
    await store.add(this.draft, release, entries);
    say(`release ${id} made: ${result.copied} files copied, ${result.linked} linked`);
    return { release, isNew: true };
  }

  async #fill(): Promise<{ source: Release['source']; result: CopyResult }> {
    const { source, project } = this.options;
    if (source.kind === 'folder') {
      const path = source.path;
      if (!isFolder(path)) throw new DeployError(`there is no folder ${path}`, 'Name the folder of the new code');
      return { source, result: this.#copy(path, readTree(path, this.#leftOut(path))) };
    }
    const commit = await resolveCommit(project.root, source.ref);
    await checkOut(project.root, commit.hash, this.#app);
    const files = readTree(this.#app);
    const copied = files.filter(({ kind }) => kind === 'file').length;
    const installed = this.#installed();
    return {
      source: { kind: 'git', ref: source.ref, commit: commit.hash, subject: commit.subject },
      result: { copied: copied + installed.copied, linked: installed.linked, bytes: ownBytes(files) },
    };
  }

  /** A commit holds no packages: those that are installed will do when the lock file is the same. */
  #installed(): CopyResult {
    const { project, build, say } = this.options;
    const nothing = { copied: 0, linked: 0, bytes: 0 };
    const modules = join(project.root, 'node_modules');
    if (!existsSync(modules)) return nothing;
    const same = LOCK_FILES.every((name) => textOf(join(project.root, name)) === textOf(join(this.#app, name)));
    if (same) {
      const entries = readTree(project.root, this.#leftOut(project.root));
      return this.#copy(
        project.root,
        entries.filter(({ path }) => path === 'node_modules' || path.startsWith('node_modules/')),
      );
    }
    if (build === null) {
      throw new DeployError(
        'the lock file of this commit differs from the one whose packages are installed',
        'Let the build install them, such as: --build "npm ci"',
      );
    }
    say('the lock file differs from the one whose packages are installed: the build must install them');
    return nothing;
  }

  #leftOut(root: string): string[] {
    const { without, shared } = this.options;
    return [...without, ...shared.map((path) => join(root, path))];
  }

  #copy(from: string, entries: readonly TreeEntry[]): CopyResult {
    const { store, build, say } = this.options;
    const size = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.stats.size : 0), 0);
    this.#checkSpace(build === null ? ownBytes(entries) : size);
    for (const entry of entries) {
      if (entry.kind === 'link' && entry.leaves && !entry.path.includes('node_modules/')) {
        say(`${entry.path} leads out of the folder, to ${entry.target}: all releases share what is there`, true);
      }
    }
    const [latest] = store.list();
    const earlier = latest === undefined ? null : store.appDir(latest.id);
    const told = { at: 0 };
    const result = copyTree(entries, {
      from,
      to: this.#app,
      earlier,
      link: build === null,
      onProgress: (done, of) => {
        const percent = of === 0 ? 100 : Math.floor((100 * done) / of);
        if (percent < told.at + 25) return;
        told.at = percent;
        say(`copying: ${percent} % of ${of} entries`);
      },
    });
    this.#checkUnchanged(from, entries);
    return result;
  }

  /** What came or went while the copy was made would make it a mix of two states. */
  #checkUnchanged(from: string, before: readonly TreeEntry[]): void {
    if (this.options.source.kind !== 'folder') return;
    const marks = new Map(before.map((entry) => [entry.path, markOf(entry)]));
    for (const entry of readTree(from, this.#leftOut(from))) {
      const mark = marks.get(entry.path);
      marks.delete(entry.path);
      if (mark !== markOf(entry)) throw changes(entry.path);
    }
    const [gone] = marks.keys();
    if (gone !== undefined) throw changes(gone);
  }

  #share(): void {
    const { shared, project } = this.options;
    for (const path of shared) {
      if (within(project.root, join(project.root, path)) === null || path === '.') {
        throw new DeployError(`deploy.shared: ${path} is not below ${project.root}`, 'Name paths below that folder');
      }
      const link = join(this.#app, path);
      rmSync(link, { recursive: true, force: true });
      mkdirSync(dirname(link), { recursive: true });
      // Also when there is nothing yet: what the bot makes there is then shared.
      symlinkSync(join(project.root, path), link);
    }
  }

  async #build(command: string): Promise<void> {
    const { buildEnv: env, output, signal, say } = this.options;
    say(`building: ${command}`);
    await runBuild({ command, cwd: this.#app, env, output, signal });
  }

  #check(entry: string, entries: readonly TreeEntry[]): void {
    if (!existsSync(join(this.#app, entry))) {
      const hint = 'Is it made by a build? Then name the command: --build "npm run build"';
      throw new DeployError(`the release has no ${entry}, which is bot.entry`, hint);
    }
    const written = entries.filter(({ kind, path }) => kind === 'file' && LOOKS_WRITTEN.test(path) && !INSTALLED(path));
    for (const { path } of written.slice(0, 3)) {
      this.options.say(`${path} is now part of the release: if the bot writes it, name it in deploy.shared`, true);
    }
  }

  #checkSpace(needed: number): void {
    const { bavail, bsize } = statfsSync(this.options.store.dir);
    const free = bavail * bsize;
    if (free >= needed + DISK_MARGIN) return;
    const mb = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MB`;
    throw new DeployError(
      `not enough space for the release: ${mb(needed + DISK_MARGIN)} needed, ${mb(free)} free`,
      'Free space, or set deploy.keep to fewer releases',
    );
  }
}

const INSTALLED = (path: string): boolean => path.includes('node_modules/');

/** The path below `root` (`.` for itself), or null when it lies outside. */
function within(root: string, path: string): string | null {
  const inside = relative(root, path);
  if (inside === '') return '.';
  return inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? null : inside;
}

function ownBytes(entries: readonly TreeEntry[]): number {
  return entries.reduce((sum, entry) => sum + (entry.kind === 'file' && !entry.installed ? entry.stats.size : 0), 0);
}

function lastChange(entries: readonly TreeEntry[]): number {
  return entries.reduce((latest, entry) => {
    return entry.kind === 'file' && !entry.installed ? Math.max(latest, entry.stats.mtimeMs) : latest;
  }, 0);
}

function markOf(entry: TreeEntry): string {
  if (entry.kind === 'file') return `${entry.stats.size} ${entry.stats.mtimeMs} ${entry.stats.ino}`;
  return entry.kind === 'link' ? entry.target : 'folder';
}

function changes(path: string): DeployError {
  return new DeployError(
    `${path} changed while the release was made`,
    'Try again; if the bot writes it, name it in deploy.shared; if it is no part of the code, in .botctlignore',
  );
}

function outside({ entry, root }: Project): DeployError {
  return new DeployError(`bot.entry ${entry} is not below ${root}`, 'Set deploy.root to the folder of the whole code');
}

function versionOf(app: string): string | null {
  try {
    const { version } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version : null;
  } catch {
    return null;
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
