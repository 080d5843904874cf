import type { Socket } from 'node:net';
import { encodeFrame, FrameDecoder } from '../../ipc/frames';
import type { DroppedState, ShardSession } from '../../ipc/messages';
import type { HeaderRecord, Payload, RecordSink, SnapshotRecord } from '../snapshot';

/*
 * What goes over the socket between the two processes of a handoff: one JSON object per line. All that the predecessor
 * says stands in one order: the copy of its caches, and between its records the events that came meanwhile.
 */

/** An event that the predecessor's gateway has brought, and that its copy does not hold. */
export interface DispatchRecord {
  k: 'dispatch';
  shard: number;
  t: string;
  d: Payload;
}

/** The predecessor has stopped: nothing comes after this. */
export interface CutRecord {
  k: 'cut';
  /** When its last connection was closed, ms since the epoch. */
  at: number;
  sessions: ShardSession[];
  dropped: DroppedState;
  /** What the bot exported through the SDK, by name. */
  state: Record<string, unknown>;
  /** To another generation of shards: events that the bot was told of since then, ms since the epoch (src/agent/reshard). */
  told?: { keys: string[]; since: number };
}

export type FromCaches = HeaderRecord | SnapshotRecord | DispatchRecord;

export type FromPredecessor =
  | FromCaches
  /** The copy is complete. `sessions` tells where to connect to; their sequences go on. */
  | { k: 'copied'; sessions: ShardSession[] }
  /** Answer to the successor's mark. */
  | { k: 'mark'; id: number }
  | CutRecord;

export type FromSuccessor =
  | { k: 'successor'; pid: number; startTime: string }
  /** Comes back in the predecessor's order: so the successor sees how far behind it is. */
  | { k: 'mark'; id: number }
  /** Ready for the sessions. */
  | { k: 'cut' }
  /** Discord has answered: the sessions are the successor's for good. */
  | { k: 'serving' };

/** From this size on the copy waits until the other side has read, bytes. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** The other side does not read: the events meanwhile would fill the memory, bytes. */
const MAX_BACKLOG_BYTES = 256 * 1024 * 1024;

/** Writes records to a socket, those of one turn of the event loop at once. */
export class RecordStream implements RecordSink {
  #pending: string[] = [];
  #pendingLength = 0;
  #scheduled = false;

  constructor(private readonly socket: Socket) {}

  add(record: object): boolean {
    const line = encodeFrame(record);
    this.#pending.push(line);
    this.#pendingLength += line.length;
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.write());
    }
    return this.#pendingLength + this.socket.writableLength > HIGH_WATER_BYTES;
  }

  /** Hands all that was added to the socket. */
  write(): void {
    this.#scheduled = false;
    if (this.#pending.length === 0) return;
    const text = this.#pending.join('');
    this.#pending = [];
    this.#pendingLength = 0;
    if (this.socket.destroyed) return;
    if (this.socket.writableLength > MAX_BACKLOG_BYTES) {
      this.socket.destroy(new Error('the other process does not read'));
      return;
    }
    this.socket.write(text);
  }

  /** Resolves when the other side has read most of it. @throws when the socket has ended */
  async flush(): Promise<void> {
    this.write();
    const { socket } = this;
    while (socket.writableLength > HIGH_WATER_BYTES / 2 && !socket.destroyed) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          socket.off('drain', done);
          socket.off('close', done);
          resolve();
        };
        socket.on('drain', done);
        socket.on('close', done);
      });
    }
    if (socket.destroyed) throw new Error('the other process is gone');
  }
}

/** The records of a socket, in order, no faster than they are taken. Ends with the socket. @throws what is no record */
export async function* readRecords<T>(socket: Socket): AsyncGenerator<T, void, void> {
  const batch: T[] = [];
  const decoder = new FrameDecoder((record) => void batch.push(record as T));
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    decoder.push(chunk);
    yield* batch.splice(0);
  }
}
