import { linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SavedForm, SavedPart, ShardSession } from '../ipc/messages';

/** Sessions that one process left behind, with the file that holds its caches. */
export interface SavedSessions {
  totalShards: number;
  shardIds: readonly number[];
  sessions: ShardSession[];
  /** Path of the cache snapshot. Without one a fresh process cannot resume: discord.js would be deaf. */
  snapshot: string;
  /** What kind of file that is. */
  form: SavedForm;
  /** ms since the epoch. */
  savedAt: number;
}

/** Where sessions wait between two runs. Local implementation now; one over Redis for several hosts later. */
export interface SessionStore {
  /** Takes the snapshot file over (it is moved). What was saved of these shards before is forgotten. */
  save(saved: SavedSessions): void;
  /**
   * Hands out the sessions for these shards, once: a session that is resumed moves on, and resuming an old state of it
   * would replay events that the bot has already handled. The shards may have been grouped otherwise: each part comes
   * from another process, and its file is the taker's. null when one is missing or too old.
   */
  take(totalShards: number, shardIds: readonly number[]): SavedPart[] | null;
  /** The shard count for which sessions wait, or null. */
  savedTotal(): number | null;
}

/** Folder of the saved sessions, in the state folder. */
export const SESSIONS_DIR = 'sessions';

/** Discord keeps a session "a few minutes"; older ones are not worth a hydration. */
export const RESUME_WINDOW_MS = 3 * 60 * 1_000;

/** Sessions as files in an owner-only folder, one per cluster. */
export class FileSessionStore implements SessionStore {
  constructor(
    private readonly dir: string,
    private readonly now: () => number,
  ) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#sweep();
  }

  save(saved: SavedSessions): void {
    for (const { file, content } of this.#all()) this.#keepOnly(file, without(content, saved));
    const file = join(this.dir, fileName(saved));
    const snapshot = `${file}.snapshot`;
    renameSync(saved.snapshot, snapshot);
    this.#write(file, { ...saved, snapshot });
  }

  take(totalShards: number, shardIds: readonly number[]): SavedPart[] | null {
    const wanted = { totalShards, shardIds };
    const found = this.#all().filter(({ content }) => overlaps(content, wanted));
    const parts = found.flatMap(({ file, content }) => this.#hand(file, content, wanted));
    const complete = shardIds.every((id) => {
      return parts.some(({ sessions }) => sessions.some((s) => s.shardId === id && s.shardCount === totalShards));
    });
    if (complete && found.every(({ content }) => this.#isFresh(content))) return parts;
    for (const { snapshot } of parts) rmSync(snapshot, { force: true });
    return null;
  }

  savedTotal(): number | null {
    return this.#all().find(({ content }) => this.#isFresh(content))?.content.totalShards ?? null;
  }

  /** The part of one file that is wanted; the rest stays. */
  #hand(file: string, content: SavedSessions, wanted: Shards): SavedPart[] {
    const { snapshot, form } = content;
    // A name of its own, since others may take the rest.
    const own = `${file}.${wanted.shardIds[0] ?? 0}.taken`;
    try {
      rmSync(own, { force: true });
      linkSync(snapshot, own);
    } catch {
      return []; // the caches are gone, so the sessions are of no use
    } finally {
      this.#keepOnly(file, without(content, wanted));
    }
    const sessions = content.sessions.filter(({ shardId }) => wanted.shardIds.includes(shardId));
    return [{ sessions, snapshot: own, form }];
  }

  /** Whatever of it nobody waits for any more goes. */
  #keepOnly(file: string, left: SavedSessions): void {
    try {
      if (left.shardIds.length > 0) return this.#write(file, left);
    } catch {
      // A full disk: better the rest identifies than that a session is handed out twice.
    }
    rmSync(file, { force: true });
    rmSync(left.snapshot, { force: true });
  }

  /** Caches that were handed out to a process whose supervisor did not live to remove them. */
  #sweep(): void {
    for (const name of readdirSync(this.dir)) {
      const file = join(this.dir, name);
      if (!name.endsWith('.taken') || this.now() - (mtimeOf(file) ?? 0) < RESUME_WINDOW_MS) continue;
      rmSync(file, { force: true });
    }
  }

  #write(file: string, saved: SavedSessions): void {
    writeFileSync(`${file}.new`, JSON.stringify(saved), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  #all(): { file: string; content: SavedSessions }[] {
    return readdirSync(this.dir).flatMap((name) => {
      const file = join(this.dir, name);
      const content = name.endsWith('.json') ? this.#read(file) : null;
      return content === null ? [] : [{ file, content }];
    });
  }

  #isFresh(saved: SavedSessions): boolean {
    return this.now() - saved.savedAt < RESUME_WINDOW_MS;
  }

  #read(file: string): SavedSessions | null {
    try {
      const saved = JSON.parse(readFileSync(file, 'utf8')) as Partial<SavedSessions>;
      const valid =
        typeof saved.totalShards === 'number' &&
        Array.isArray(saved.shardIds) &&
        Array.isArray(saved.sessions) &&
        typeof saved.snapshot === 'string' &&
        typeof saved.savedAt === 'number';
      return valid ? ({ form: 'snapshot', ...saved } as SavedSessions) : null;
    } catch {
      return null; // absent or torn: as good as none
    }
  }
}

type Shards = Pick<SavedSessions, 'totalShards' | 'shardIds'>;

function fileName({ totalShards, shardIds }: Shards): string {
  return `${shardIds[0] ?? 0}-${shardIds.at(-1) ?? 0}-of-${totalShards}.json`;
}

function overlaps(saved: Shards, { totalShards, shardIds }: Shards): boolean {
  return saved.totalShards === totalShards && saved.shardIds.some((id) => shardIds.includes(id));
}

function mtimeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

/** What stays of it when these shards have gone elsewhere. */
function without(saved: SavedSessions, gone: Shards): SavedSessions {
  if (saved.totalShards !== gone.totalShards) return saved;
  const shardIds = saved.shardIds.filter((id) => !gone.shardIds.includes(id));
  return { ...saved, shardIds, sessions: saved.sessions.filter(({ shardId }) => shardIds.includes(shardId)) };
}
