import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { previousTotalShards } from '../../src/sharding/previous-run';
import { FileSessionStore, RESUME_WINDOW_MS, type SavedSessions } from '../../src/sharding/session-store';

describe('FileSessionStore', () => {
  let dir: string;
  let now: number;
  let store: FileSessionStore;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-sessions-'));
    now = 1_000_000;
    store = new FileSessionStore(join(dir, 'sessions'), () => now);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function saved(shardIds: number[], totalShards = 4): SavedSessions {
    const snapshot = join(dir, `snapshot-of-${shardIds.join('-')}`);
    writeFileSync(snapshot, 'caches', { mode: 0o600 });
    const sessions = shardIds.map((shardId) => ({
      shardId,
      shardCount: totalShards,
      sessionId: `session-${shardId}`,
      sequence: 10 + shardId,
      resumeUrl: 'wss://resume.example',
      aliveAt: now,
    }));
    return { totalShards, shardIds, sessions, snapshot, form: 'snapshot', savedAt: now };
  }

  it('hands out what was saved for exactly these shards, once', () => {
    const given = saved([0, 1]);
    store.save(given);
    expect(existsSync(given.snapshot)).toBe(false);
    expect(store.take(4, [2, 3])).toBeNull();
    expect(store.take(8, [0, 1])).toBeNull();
    const [taken, ...more] = store.take(4, [0, 1]) ?? [];
    expect(more).toEqual([]);
    expect(taken?.sessions).toEqual(given.sessions);
    expect(existsSync(taken?.snapshot ?? '')).toBe(true);
    expect(store.take(4, [0, 1])).toBeNull();
  });

  it('hands out what several left to one, and what one left to several, each session once', () => {
    store.save(saved([0, 1]));
    store.save(saved([2, 3]));
    const middle = store.take(4, [1, 2]);
    expect(middle?.map(({ sessions }) => sessions.map(({ shardId }) => shardId))).toEqual([[1], [2]]);
    expect(middle?.every(({ snapshot }) => existsSync(snapshot))).toBe(true);
    expect(store.take(4, [1])).toBeNull();
    // The rest is still there; the files of the first taker are its own.
    const rest = store.take(4, [0, 3]);
    expect(rest?.map(({ sessions }) => sessions.map(({ shardId }) => shardId))).toEqual([[0], [3]]);
    const files = [...(middle ?? []), ...(rest ?? [])].map(({ snapshot }) => snapshot);
    expect(new Set(files).size).toBe(4);
    expect(readdirSync(join(dir, 'sessions')).sort()).toEqual(files.map((file) => basename(file)).sort());
  });

  it('forgets an older state of a session when a newer one comes, however the shards were grouped', () => {
    store.save(saved([0, 1]));
    const newer = saved([1, 2]);
    newer.sessions.forEach((session) => (session.sequence += 100));
    store.save(newer);
    const taken = store.take(4, [0, 1, 2]) ?? [];
    const sequences = taken.flatMap(({ sessions }) => sessions.map((s) => [s.shardId, s.sequence]));
    expect(sequences.sort()).toEqual([
      [0, 10],
      [1, 111],
      [2, 112],
    ]);
  });

  it('removes caches that were handed out and never used, when they are too old', () => {
    store.save(saved([0, 1]));
    store.take(4, [0, 1]);
    const folder = join(dir, 'sessions');
    now = Date.now();
    new FileSessionStore(folder, () => now);
    expect(readdirSync(folder)).toHaveLength(1);
    now += RESUME_WINDOW_MS + 1_000;
    new FileSessionStore(folder, () => now);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('hands out nothing that is too old, and removes its caches', () => {
    store.save(saved([0, 1]));
    now += RESUME_WINDOW_MS;
    expect(store.take(4, [0, 1])).toBeNull();
    expect(readdirSync(join(dir, 'sessions'))).toEqual([]);
  });

  it('hands out nothing that is incomplete', () => {
    const given = saved([0, 1]);
    given.sessions.pop();
    store.save(given);
    expect(store.take(4, [0, 1])).toBeNull();
  });

  it('takes a torn file for none', () => {
    store.save(saved([0, 1]));
    const [file = ''] = readdirSync(join(dir, 'sessions')).filter((name) => name.endsWith('.json'));
    writeFileSync(join(dir, 'sessions', file), '{"totalShards": 4, "sess');
    expect(store.take(4, [0, 1])).toBeNull();
    expect(store.savedTotal()).toBeNull();
  });

  it('is for its owner alone', () => {
    store.save(saved([0, 1]));
    const folder = join(dir, 'sessions');
    for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) {
      expect([path, statSync(path).mode & 0o077]).toEqual([path, 0]);
    }
  });

  it('tells the number of shards that was in use, so that "auto" resumes instead of resharding', () => {
    expect(previousTotalShards(dir, () => now)).toBeUndefined();
    store.save(saved([0, 1], 6));
    expect(previousTotalShards(dir, () => now)).toBe(6);
    expect(previousTotalShards(dir, () => now + RESUME_WINDOW_MS)).toBeUndefined();
  });
});
