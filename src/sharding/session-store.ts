import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SavedForm, ShardSession } from '../ipc/messages';

/** Sessions that one cluster left behind, with the file that holds its caches. */
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
  /** Takes the snapshot file over (it is moved). */
  save(saved: SavedSessions): void;
  /**
   * Hands out the sessions for exactly these shards, once: a session that is resumed moves on, and resuming an old state
   * of it would replay events that the bot has already handled. null when there are none or they are too old.
   */
  take(totalShards: number, shardIds: readonly number[]): SavedSessions | null;
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
  }

  save(saved: SavedSessions): void {
    const file = this.#file(saved.totalShards, saved.shardIds);
    const snapshot = `${file}.snapshot`;
    renameSync(saved.snapshot, snapshot);
    writeFileSync(`${file}.new`, JSON.stringify({ ...saved, snapshot }), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  take(totalShards: number, shardIds: readonly number[]): SavedSessions | null {
    const file = this.#file(totalShards, shardIds);
    const saved = this.#read(file);
    if (saved === null) return null;
    rmSync(file, { force: true });
    const complete = shardIds.every((id) =>
      saved.sessions.some((s) => s.shardId === id && s.shardCount === totalShards),
    );
    if (complete && this.#isFresh(saved)) return saved;
    rmSync(saved.snapshot, { force: true });
    return null;
  }

  savedTotal(): number | null {
    for (const name of readdirSync(this.dir)) {
      const saved = name.endsWith('.json') ? this.#read(join(this.dir, name)) : null;
      if (saved !== null && this.#isFresh(saved)) return saved.totalShards;
    }
    return null;
  }

  #isFresh(saved: SavedSessions): boolean {
    return this.now() - saved.savedAt < RESUME_WINDOW_MS;
  }

  #file(totalShards: number, shardIds: readonly number[]): string {
    return join(this.dir, `${shardIds[0] ?? 0}-${shardIds.at(-1) ?? 0}-of-${totalShards}.json`);
  }

  #read(file: string): SavedSessions | null {
    try {
      const saved = JSON.parse(readFileSync(file, 'utf8')) as Partial<SavedSessions>;
      const valid =
        typeof saved.totalShards === 'number' &&
        Array.isArray(saved.sessions) &&
        typeof saved.snapshot === 'string' &&
        typeof saved.savedAt === 'number';
      return valid ? ({ form: 'snapshot', ...saved } as SavedSessions) : null;
    } catch {
      return null; // absent or torn: as good as none
    }
  }
}
