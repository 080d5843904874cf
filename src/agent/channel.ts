import { createConnection, type Socket } from 'node:net';
import { encodeFrame, FrameDecoder } from '../ipc/frames';
import type { AgentToSupervisor, Hello, SupervisorToAgent } from '../ipc/messages';

export interface ChannelOptions {
  path: string;
  /** Made anew for each connection: it tells all there is to know. */
  hello: () => Hello;
  onFrame: (frame: SupervisorToAgent) => void;
  /** The supervisor has said welcome. */
  onAttached: () => void;
  /** The connection is lost, or the first attempt failed. Told once until the next `onAttached`. */
  onDetached: () => void;
}

/** Delay between two attempts to connect, ms; grows from the first to the second. */
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 500;
/** Messages of the bot kept while there is no supervisor; more are refused. */
const MAX_QUEUED = 10_000;
const MAX_QUEUED_CHARS = 16 * 1024 * 1024;
/** A supervisor that does not read is cut off at this size, bytes; it gets a new hello. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;

/** The agent's end of the socket. Connects again for as long as the process lives. Does not keep the process alive. */
export class Channel {
  #socket: Socket | null = null;
  /** True from our hello on: frames may follow it. */
  #open = false;
  #attached = false;
  #toldDetached = false;
  #retryMs = RETRY_MIN_MS;
  #retryTimer: NodeJS.Timeout | null = null;
  #keepsAlive = false;
  #queue: string[] = [];
  #queuedChars = 0;

  constructor(private readonly options: ChannelOptions) {}

  get attached(): boolean {
    return this.#attached;
  }

  start(): void {
    this.#connect();
  }

  /** Sends a frame, or drops it when there is no connection: the next hello tells the state. */
  send(frame: AgentToSupervisor): void {
    if (this.#open) this.#write(encodeFrame(frame));
  }

  /**
   * Sends a message of the bot; without a connection it is kept for the next one.
   * @returns false when too much is kept already
   * @throws TypeError for what JSON cannot carry
   */
  sendBot(message: unknown): boolean {
    const line = encodeFrame({ t: 'bot', message } satisfies AgentToSupervisor);
    if (this.#open) return this.#write(line);
    if (this.#queue.length >= MAX_QUEUED || this.#queuedChars + line.length > MAX_QUEUED_CHARS) return false;
    this.#queue.push(line);
    this.#queuedChars += line.length;
    return true;
  }

  /** Like Node's own channel: it keeps the process alive for as long as the bot listens for messages. */
  keepAlive(keep: boolean): void {
    this.#keepsAlive = keep;
    this.#applyRef();
  }

  #write(line: string): boolean {
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return false;
    if (socket.writableLength > MAX_UNSENT_BYTES) {
      socket.destroy();
      return false;
    }
    socket.write(line);
    return true;
  }

  #connect(): void {
    const socket = createConnection(this.options.path);
    this.#socket = socket;
    this.#applyRef();
    const decoder = new FrameDecoder((value) => {
      const frame = value as SupervisorToAgent;
      if (frame.t === 'welcome') this.#welcome();
      this.options.onFrame(frame);
    });
    socket.on('connect', () => {
      this.#open = true;
      socket.write(encodeFrame(this.options.hello()));
    });
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk);
      } catch {
        socket.destroy(); // not our protocol
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket === socket) this.#lost();
    });
  }

  #welcome(): void {
    this.#attached = true;
    this.#toldDetached = false;
    this.#retryMs = RETRY_MIN_MS;
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedChars = 0;
    for (const line of queue) this.#write(line);
    this.options.onAttached();
  }

  #lost(): void {
    this.#open = false;
    this.#attached = false;
    this.#socket = null;
    if (!this.#toldDetached) {
      this.#toldDetached = true;
      this.options.onDetached();
    }
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
    this.#applyRef();
  }

  #applyRef(): void {
    for (const handle of [this.#socket, this.#retryTimer]) {
      if (this.#keepsAlive) handle?.ref();
      else handle?.unref();
    }
  }
}
