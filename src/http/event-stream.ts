import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, createGzip, type Gzip } from 'node:zlib';

export interface EventStreamOptions<State> {
  read: () => State;
  /** What makes a new state worth telling at once; where it is the same, only figures have changed. */
  essence: (state: State) => string;
  /** Least time between two events, ms. */
  intervalMs?: number;
  /** Figures alone are told so often, ms. */
  figuresMs?: number;
  /** A comment is sent after so long a silence, ms: whoever is between must not take the stream for dead. */
  heartbeatMs?: number;
  maxListeners?: number;
  onError: (error: unknown) => void;
}

/** What a listener who does not read may leave lying here, bytes, and for how long, ms. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;
const MAX_STALL_MS = 30_000;
/** After so long a browser connects again, ms. */
const RECONNECT_MS = 2_000;

/**
 * Tells a state to any number of listeners as server-sent events. It is read once for all of them, and not at all while
 * nobody listens. A listener who is slow misses states and gets the next one whole.
 */
export class EventStream<State> {
  readonly #options: Required<EventStreamOptions<State>>;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #told = { essence: '', at: 0 };

  constructor(options: EventStreamOptions<State>) {
    this.#options = { intervalMs: 1_000, figuresMs: 5_000, heartbeatMs: 15_000, maxListeners: 64, ...options };
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** What listeners have not taken yet, bytes. */
  get backlogBytes(): number {
    return [...this.#listeners].reduce((sum, { backlog }) => sum + backlog, 0);
  }

  /** Takes over the answer. False: there are too many listeners already, or it is over. */
  add(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#closed || this.#listeners.size >= this.#options.maxListeners) return false;
    const state = this.#options.read();
    const listener = new Listener(request, response, this.#options.heartbeatMs);
    this.#listeners.add(listener);
    response.once('close', () => this.#remove(listener));
    listener.send(eventOf(state));
    if (this.#timer === null) {
      this.#told = { essence: this.#options.essence(state), at: performance.now() };
      this.#timer = setInterval(() => this.#tick(), this.#options.intervalMs).unref();
    }
    return true;
  }

  /** Ends all streams in good order. */
  close(): void {
    this.#closed = true;
    this.#rest();
    for (const listener of this.#listeners) listener.end();
    this.#listeners.clear();
  }

  #tick(): void {
    const { read, essence, figuresMs, onError } = this.#options;
    try {
      const state = read();
      const now = performance.now();
      const current = essence(state);
      if (current !== this.#told.essence || now - this.#told.at >= figuresMs) {
        this.#told = { essence: current, at: now };
        const event = eventOf(state);
        for (const listener of this.#listeners) listener.send(event);
        return;
      }
    } catch (error) {
      onError(error);
    }
    for (const listener of this.#listeners) listener.beat();
  }

  #remove(listener: Listener): void {
    listener.end();
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.#rest();
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

class Listener {
  readonly #gzip: Gzip | null;
  #lastWrite = performance.now();

  constructor(
    request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly heartbeatMs: number,
  ) {
    const zipped = /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
      ...(zipped && { 'content-encoding': 'gzip' }),
    });
    // Proxies and Nagle's algorithm would otherwise wait for more.
    response.flushHeaders();
    response.socket?.setNoDelay(true);
    this.#gzip = zipped ? createGzip() : null;
    this.#gzip?.on('error', () => response.destroy()).pipe(response);
    this.#write(`retry: ${RECONNECT_MS}\n\n`);
  }

  send(event: string): void {
    if (this.backlog > MAX_BACKLOG_BYTES) {
      if (performance.now() - this.#lastWrite > MAX_STALL_MS) this.response.destroy();
      return;
    }
    this.#write(event);
  }

  beat(): void {
    if (performance.now() - this.#lastWrite >= this.heartbeatMs) this.send(':\n\n');
  }

  end(): void {
    (this.#gzip ?? this.response).end();
  }

  get backlog(): number {
    return this.response.writableLength + (this.#gzip?.writableLength ?? 0) + (this.#gzip?.readableLength ?? 0);
  }

  #write(text: string): void {
    this.#lastWrite = performance.now();
    if (this.#gzip === null) this.response.write(text);
    else {
      this.#gzip.write(text);
      this.#gzip.flush(constants.Z_SYNC_FLUSH);
    }
  }
}

function eventOf(state: unknown): string {
  return `event: status\ndata: ${JSON.stringify(state)}\n\n`;
}
