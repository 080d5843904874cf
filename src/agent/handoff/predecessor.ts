import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'discord.js';
import type { HandoffReport, ShardSession } from '../../ipc/messages';
import { processStartTime } from '../../ipc/process-start-time';
import type { SnapshotMeta } from '../snapshot';
import type { BotState } from './bot-state';
import { CacheSender } from './cache-sender';
import { countDropped } from './dropped';
import { readRecords, RecordStream, type FromPredecessor, type FromSuccessor } from './wire';

/** A client that gives its sessions away. */
export interface HandingClient {
  readonly client: Client;
  readonly meta: SnapshotMeta;
  /** Tells each event before discord.js sees it, until the function that it returns is called. */
  journal(listener: (shard: number, t: string, d: unknown) => void): () => void;
  sessions(): ShardSession[];
  /** Why the sessions cannot be given away now, or null. */
  obstacle(): string | null;
  /** Closes all connections resumably and keeps them closed; resolves when no event is on its way any more. */
  cut(): Promise<void>;
  /** Resumes the sessions after a cut. */
  rollBack(): void;
}

export interface PredecessorOptions {
  socketPath: string;
  messagesPerChannel: number;
  handing: HandingClient;
  state: BotState;
  report: (report: HandoffReport) => void;
}

/** The gateway, or the successor, has this long to say something after the cut, ms; then the sessions are taken back. */
const SERVING_TIMEOUT_MS = 10_000;
/** A killed process is gone within this time, ms. */
const KILL_TIMEOUT_MS = 2_000;
const POLL_MS = 5;

/** One handoff, seen by the process that is replaced. */
export class Predecessor {
  #isCut = false;
  #successor: { pid: number; startTime: string } | null = null;
  #socket: Socket | null = null;

  constructor(private readonly options: PredecessorOptions) {}

  /** From here on the sessions are not this process's, unless it rolls back. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Gives up before the cut: the successor ends, this process goes on. */
  abort(): void {
    if (!this.#isCut) this.#socket?.destroy();
  }

  /** @returns true when the successor serves; false when this process goes on serving. Never rejects. */
  async run(): Promise<boolean> {
    const { handing, socketPath, report } = this.options;
    const obstacle = handing.obstacle();
    if (obstacle !== null) {
      report({ step: 'failed', reason: obstacle, restart: true });
      return false;
    }
    const socket = createConnection(socketPath);
    this.#socket = socket;
    socket.on('error', () => undefined); // told by the end of the records
    try {
      await this.#handOver(socket);
      return true;
    } catch (error) {
      socket.destroy();
      const reason = (error as Error).message;
      if (!this.#isCut) report({ step: 'failed', reason, restart: false });
      else await this.#takeBack(reason);
      return false;
    }
  }

  async #handOver(socket: Socket): Promise<void> {
    const { handing, messagesPerChannel } = this.options;
    const stream = new RecordStream(socket);
    const send = (record: FromPredecessor): void => void stream.add(record);
    const sender = new CacheSender(handing.client, handing.meta, stream, { messagesPerChannel });
    const stopJournal = handing.journal((shard, t, d) => sender.dispatched(shard, t, d));
    try {
      const heard = this.#listen(socket, stream);
      await Promise.race([sender.copy(), heard.ended]);
      send({ k: 'copied', sessions: handing.sessions() });
      await Promise.race([heard.wantsCut, heard.ended]);
      await this.#cut(stream);
      await this.#withinServingTime(Promise.race([heard.serves, heard.ended]));
    } finally {
      stopJournal();
    }
  }

  async #cut(stream: RecordStream): Promise<void> {
    const { handing, state } = this.options;
    const obstacle = handing.obstacle();
    if (obstacle !== null) throw new Error(obstacle);
    this.#isCut = true;
    const at = Date.now();
    await handing.cut();
    const dropped = countDropped(handing.client);
    const record: FromPredecessor = {
      k: 'cut',
      at,
      sessions: handing.sessions(),
      dropped,
      state: await state.export(),
    };
    stream.add(record);
    stream.write();
  }

  /** What the successor says, as promises; `ended` only ever rejects. */
  #listen(
    socket: Socket,
    stream: RecordStream,
  ): { wantsCut: Promise<void>; serves: Promise<void>; ended: Promise<never> } {
    let wants = (): void => undefined;
    let serves = (): void => undefined;
    const promises = {
      wantsCut: new Promise<void>((resolve) => (wants = resolve)),
      serves: new Promise<void>((resolve) => (serves = resolve)),
    };
    const read = async (): Promise<never> => {
      for await (const record of readRecords<FromSuccessor>(socket)) {
        if (record.k === 'successor') this.#successor = record;
        else if (record.k === 'mark') {
          stream.add(record);
          stream.write();
        } else if (record.k === 'cut') wants();
        else serves();
      }
      throw new Error('the successor has ended');
    };
    const ended = read();
    ended.catch(() => undefined); // it also ends when nobody waits for it any more
    return { ...promises, ended };
  }

  async #withinServingTime(answered: Promise<void>): Promise<void> {
    const timer = new AbortController();
    const late = delay(SERVING_TIMEOUT_MS, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`the successor was not answered by Discord within ${SERVING_TIMEOUT_MS / 1_000} s`);
    });
    try {
      await Promise.race([answered, late]);
    } finally {
      timer.abort();
      late.catch(() => undefined);
    }
  }

  /** Only when the successor is certainly dead: two processes that resume one session would throw each other out. */
  async #takeBack(reason: string): Promise<void> {
    const successor = this.#successor;
    if (successor !== null) {
      const isAlive = (): boolean => processStartTime(successor.pid) === successor.startTime;
      if (isAlive()) kill(successor.pid);
      for (const end = Date.now() + KILL_TIMEOUT_MS; isAlive() && Date.now() < end;) await delay(POLL_MS);
    }
    this.#isCut = false;
    this.options.handing.rollBack();
    this.options.report({ step: 'rolled-back', reason });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}
