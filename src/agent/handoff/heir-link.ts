import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Heir, ShardSession } from '../../ipc/messages';
import { processStartTime } from '../../ipc/process-start-time';
import { CacheSender } from './cache-sender';
import type { HandingClient } from './handing-client';
import { readRecords, RecordStream, type CutRecord, type FromPredecessor, type FromSuccessor } from './wire';

/** A killed process is gone within this time, ms. */
const KILL_TIMEOUT_MS = 2_000;
const POLL_MS = 5;

/** The predecessor's end of the connection to one process that succeeds it. */
export class HeirLink {
  /** It asks for the sessions. */
  readonly wantsCut: Promise<void>;
  /** Discord has answered it. */
  readonly serves: Promise<void>;
  /** Only ever rejects: when it has ended. */
  readonly ended: Promise<never>;
  readonly #socket: Socket;
  readonly #stream: RecordStream;
  #sender: CacheSender | null = null;
  #peer: { pid: number; startTime: string } | null = null;
  #tellWantsCut: () => void = () => undefined;
  #tellServes: () => void = () => undefined;

  constructor(
    readonly heir: Heir,
    private readonly handing: HandingClient,
  ) {
    this.#socket = createConnection(heir.socketPath);
    this.#socket.on('error', () => undefined); // told by the end of the records
    this.#stream = new RecordStream(this.#socket);
    this.wantsCut = new Promise<void>((resolve) => (this.#tellWantsCut = resolve));
    this.serves = new Promise<void>((resolve) => (this.#tellServes = resolve));
    this.ended = this.#listen();
    this.ended.catch(() => undefined); // it also ends when nobody waits for it any more
  }

  /** Copies the caches of its shards; what changes them from here on follows by itself. @throws SnapshotError */
  async copy(messagesPerChannel: number): Promise<void> {
    const { client, meta } = this.handing;
    const own = { ...meta, shardIds: [...this.heir.shardIds] };
    this.#sender = new CacheSender(client, own, this.#stream, { messagesPerChannel });
    await Promise.race([this.#sender.copy(), this.ended]);
    this.#send({ k: 'copied', sessions: this.#own(this.handing.sessions()) });
  }

  /** An event has come; discord.js has not seen it yet. */
  dispatched(shard: number, t: string, d: unknown): void {
    if (this.heir.shardIds.includes(shard)) this.#sender?.dispatched(shard, t, d);
  }

  /** Nothing comes after this. */
  cut(record: CutRecord): void {
    this.#send({ ...record, sessions: this.#own(record.sessions) });
    this.#stream.write();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Resolves when its process is certainly gone: two that resume one session would throw each other out. */
  async end(): Promise<void> {
    this.close();
    const peer = this.#peer;
    if (peer === null) return;
    const isAlive = (): boolean => processStartTime(peer.pid) === peer.startTime;
    if (isAlive()) kill(peer.pid);
    for (const end = Date.now() + KILL_TIMEOUT_MS; isAlive() && Date.now() < end;) await delay(POLL_MS);
  }

  #own(sessions: readonly ShardSession[]): ShardSession[] {
    return sessions.filter(({ shardId }) => this.heir.shardIds.includes(shardId));
  }

  #send(record: FromPredecessor): void {
    this.#stream.add(record);
  }

  async #listen(): Promise<never> {
    for await (const record of readRecords<FromSuccessor>(this.#socket)) {
      switch (record.k) {
        case 'successor':
          this.#peer = record;
          break;
        case 'mark':
          this.#stream.add(record);
          this.#stream.write();
          break;
        case 'cut':
          this.#tellWantsCut();
          break;
        case 'serving':
          this.#tellServes();
      }
    }
    throw new Error('the successor has ended');
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}
