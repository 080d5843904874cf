import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'discord.js';
import { CHECKPOINT_FILE, type CheckpointNote, type ShardSession } from '../../ipc/messages';
import { CacheSender } from '../handoff/cache-sender';
import type { SnapshotMeta } from '../snapshot';
import { CheckpointFile } from './checkpoint-file';
import type { SeqRecord } from './format';

export interface CheckpointsOptions {
  client: Client;
  meta: SnapshotMeta;
  /** Owner-only folder of this process. */
  dir: string;
  /** A new copy of the caches is made this often, ms. */
  intervalMs: number;
  /** The first one is made so long after the start, ms. */
  firstAfterMs: number;
  sessions: () => ShardSession[];
  /** Interactions that the bot works on: they are lost when this process is killed. */
  inHand: () => number;
  onError: (error: Error) => void;
}

/** When the events since the copy take more room than the copy, and than this, bytes, a new copy is made earlier. */
const MIN_JOURNAL_BYTES = 16 * 1024 * 1024;
/** But not before this time, ms. */
const MIN_INTERVAL_MS = 60_000;
const LOOK_MS = 5_000;

/** Events that leave no trace in what a checkpoint holds: their number is noted, not their contents. */
const TRACELESS = /^(MESSAGE_|INTERACTION_|TYPING_|GUILD_AUDIT_LOG_|VOICE_SERVER_|VOICE_CHANNEL_EFFECT_)/;

/** One copy of the caches and the events since. */
interface Generation {
  file: CheckpointFile;
  sender: CacheSender;
  startedAt: number;
  /** Bytes of the copy; null: it is still being made. */
  copyBytes: number | null;
  /** Session ids and sequences that stand in the file, by shard. */
  noted: Noted;
}

interface Noted {
  sessions: Map<number, { id: string; sequence: number }>;
  inHand: number;
}

/**
 * Keeps on disk, all the time, what the next process of the cluster needs to resume if this one is killed: a copy of the
 * caches, the events that have changed them since, and the sequences.
 */
export class Checkpoints {
  #current: Generation | null = null;
  #next: Generation | null = null;
  #number = 0;
  #timer: NodeJS.Timeout | null = null;
  readonly #onExit = (): void => {
    this.#current?.file.writeNow();
  };

  constructor(private readonly options: CheckpointsOptions) {}

  start(): void {
    if (this.#timer !== null) return;
    const firstAt = Date.now() + Math.min(this.options.firstAfterMs, this.options.intervalMs);
    const every = Math.min(LOOK_MS, this.options.intervalMs / 2);
    this.#timer = setInterval(() => {
      if (this.#next === null && Date.now() >= firstAt && this.#isDue()) this.#copy();
    }, every).unref();
    process.once('exit', this.#onExit);
  }

  /** The sessions go elsewhere, or end: nothing of it may be found any more. */
  discard(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    process.off('exit', this.#onExit);
    rmSync(this.#note, { force: true });
    for (const generation of [this.#current, this.#next]) generation?.file.discard();
    this.#current = null;
    this.#next = null;
  }

  /** An event has come; discord.js has not seen it yet. */
  dispatched(shard: number, t: string, d: unknown): void {
    for (const generation of [this.#current, this.#next]) {
      if (generation === null) continue;
      if (TRACELESS.test(t)) generation.file.schedule();
      else generation.sender.dispatched(shard, t, d);
    }
  }

  /** The bot works on fewer interactions than before. */
  answered(): void {
    for (const generation of [this.#current, this.#next]) generation?.file.schedule();
  }

  #isDue(): boolean {
    if (this.#current === null) return true;
    const { startedAt, copyBytes, file } = this.#current;
    const age = Date.now() - startedAt;
    if (age >= this.options.intervalMs) return true;
    const journal = file.bytes - (copyBytes ?? 0);
    return age >= MIN_INTERVAL_MS && journal > Math.max(MIN_JOURNAL_BYTES, copyBytes ?? 0);
  }

  #copy(): void {
    const { client, meta, dir, onError } = this.options;
    const noted: Noted = { sessions: new Map(), inHand: 0 };
    try {
      const path = join(dir, `checkpoint-${++this.#number}`);
      const file = new CheckpointFile(
        path,
        () => this.#seal(noted),
        (error) => this.#fail(error),
      );
      const sender = new CacheSender(client, meta, file, { messagesPerChannel: 0 });
      const next: Generation = { file, sender, startedAt: Date.now(), copyBytes: null, noted };
      this.#next = next;
      void this.#finish(next);
    } catch (error) {
      onError(error as Error);
    }
  }

  async #finish(next: Generation): Promise<void> {
    try {
      await next.sender.copy();
      // An event that is being read has moved its sequence on, and is not dispatched yet.
      await new Promise<void>((resolve) => void setImmediate(resolve));
      for (const session of this.options.sessions()) this.#noteSession(next, session);
      next.file.add({ k: 'copied' });
      await next.file.flush();
      if (this.#next !== next) return;
      next.copyBytes = next.file.bytes;
      this.#next = null;
      const before = this.#current;
      this.#current = next;
      this.#writeNote(next);
      before?.file.discard();
    } catch (error) {
      if (this.#next === next) this.#fail(error as Error);
    }
  }

  #noteSession({ file, noted }: Generation, session: ShardSession): void {
    noted.sessions.set(session.shardId, { id: session.sessionId, sequence: session.sequence });
    file.add({ k: 'session', session });
  }

  /** What has been told to the bot by now, of all shards of which that has changed. */
  #seal(noted: Noted): SeqRecord | null {
    const s: SeqRecord['s'] = [];
    for (const session of this.options.sessions()) {
      const known = noted.sessions.get(session.shardId);
      if (known === undefined) continue; // the copy is still being made
      if (known.id !== session.sessionId) {
        // It has identified anew: its guilds come once more, and with them the old copy's claim ends.
        setImmediate(() => this.#startAnew());
        return null;
      }
      if (known.sequence === session.sequence) continue;
      known.sequence = session.sequence;
      s.push([session.shardId, session.sequence]);
    }
    const inHand = this.options.inHand();
    if (s.length === 0 && (inHand === noted.inHand || noted.sessions.size === 0)) return null;
    noted.inHand = inHand;
    return { k: 'seq', s, ...(inHand > 0 && { inHand }) };
  }

  #startAnew(): void {
    if (this.#timer === null) return;
    this.discard();
    this.start();
  }

  #writeNote({ file }: Generation): void {
    const { sessions, meta } = this.options;
    const note: CheckpointNote = { totalShards: meta.totalShards, file: file.path, sessions: sessions() };
    writeFileSync(`${this.#note}.new`, JSON.stringify(note), { mode: 0o600 });
    renameSync(`${this.#note}.new`, this.#note);
  }

  get #note(): string {
    return join(this.options.dir, CHECKPOINT_FILE);
  }

  #fail(error: Error): void {
    this.discard();
    this.options.onError(error);
    // Not at once: the disk may be full.
    this.start();
  }
}
