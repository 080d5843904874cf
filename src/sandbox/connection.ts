import type { RawData, WebSocket } from 'ws';
import type { Session } from './session';
import type { Payload } from './world';

/** Requests of a client, as the gateway decides them. */
export interface ConnectionHandlers {
  identify(connection: Connection, data: Payload): void;
  resume(connection: Connection, data: Payload): void;
  requestMembers(session: Session, data: Payload): void;
  isDeaf(shard: number | null): boolean;
  onClose(connection: Connection, code: number): void;
}

const OP = {
  heartbeat: 1,
  identify: 2,
  presence: 3,
  voiceState: 4,
  resume: 6,
  reconnect: 7,
  requestMembers: 8,
  invalidSession: 9,
  hello: 10,
  ack: 11,
  requestSounds: 31,
} as const;

/** Payloads that a client may send within the window, heartbeats included. */
const SEND_LIMIT = 120;
const SEND_WINDOW_MS = 60_000;

/** One WebSocket of a client: Discord's protocol, version 10, JSON. */
export class Connection {
  session: Session | null = null;
  /** The shard, once the client has named it. */
  shardId: number | null = null;
  #windowStart = Date.now();
  #sentInWindow = 0;

  constructor(
    private readonly socket: WebSocket,
    private readonly handlers: ConnectionHandlers,
    private readonly latencyMs: () => number,
    heartbeatIntervalMs: number,
  ) {
    socket.on('message', (data) => this.#onMessage(data));
    socket.on('close', (code) => this.handlers.onClose(this, code));
    socket.on('error', () => socket.terminate());
    if (!handlers.isDeaf(null)) this.#op(OP.hello, { heartbeat_interval: heartbeatIntervalMs, _trace: [] });
  }

  send(text: string): void {
    const ms = this.latencyMs();
    const write = (): void => {
      if (this.socket.readyState === this.socket.OPEN) this.socket.send(text);
    };
    if (ms > 0) setTimeout(write, ms);
    else write();
  }

  close(code: number, reason = ''): void {
    this.socket.close(code, reason);
  }

  /** Ends the TCP connection without a closing handshake. */
  terminate(): void {
    this.socket.terminate();
  }

  invalidate(resumable: boolean): void {
    this.#op(OP.invalidSession, resumable);
  }

  askToReconnect(): void {
    this.#op(OP.reconnect, null);
  }

  #op(op: number, d: unknown): void {
    this.send(JSON.stringify({ op, d, s: null, t: null }));
  }

  #onMessage(data: RawData): void {
    if (this.handlers.isDeaf(this.shardId)) return;
    const payload = parse(data);
    if (payload === null) return this.close(4002, 'Error while decoding payload.');
    if (this.#isOverLimit()) return this.close(4008, 'You are being rate limited.');
    const { op, d } = payload;
    switch (op) {
      case OP.heartbeat:
        return this.#op(OP.ack, null);
      case OP.identify:
        if (this.session !== null) return this.close(4005, 'Already authenticated.');
        return this.handlers.identify(this, asObject(d));
      case OP.resume:
        if (this.session !== null) return this.close(4005, 'Already authenticated.');
        return this.handlers.resume(this, asObject(d));
      case OP.presence:
      case OP.voiceState:
      case OP.requestMembers:
      case OP.requestSounds:
        if (this.session === null) return this.close(4003, 'Not authenticated.');
        if (op === OP.requestMembers) this.handlers.requestMembers(this.session, asObject(d));
        return;
      default:
        return this.close(4001, 'Unknown opcode.');
    }
  }

  #isOverLimit(): boolean {
    const now = Date.now();
    if (now - this.#windowStart > SEND_WINDOW_MS) {
      this.#windowStart = now;
      this.#sentInWindow = 0;
    }
    return ++this.#sentInWindow > SEND_LIMIT;
  }
}

function parse(data: RawData): { op: unknown; d: unknown } | null {
  try {
    const value = JSON.parse((data as Buffer).toString('utf8')) as { op: unknown; d: unknown } | null;
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

function asObject(value: unknown): Payload {
  return typeof value === 'object' && value !== null ? (value as Payload) : {};
}
