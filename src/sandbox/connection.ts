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
const DEAF_POLL_MS = 50;
const PULSE_SLACK_MS = 2_000;

/** One WebSocket of a client: Discord's protocol, version 10, JSON. */
export class Connection {
  session: Session | null = null;
  /** The shard, once the client has named it. */
  shardId: number | null = null;
  #windowStart = Date.now();
  #sentInWindow = 0;
  #heartbeatAt = Date.now();
  /** Texts that are sent late, in order. */
  readonly #late: { due: number; text: string }[] = [];
  #lateTimer: NodeJS.Timeout | null = null;
  readonly #pulse: NodeJS.Timeout;

  constructor(
    private readonly socket: WebSocket,
    private readonly handlers: ConnectionHandlers,
    private readonly latencyMs: () => number,
    heartbeatIntervalMs: number,
  ) {
    socket.on('message', (data) => this.#onMessage(data));
    socket.on('close', (code) => {
      clearInterval(this.#pulse);
      this.handlers.onClose(this, code);
    });
    socket.on('error', () => socket.terminate());
    this.#greet(heartbeatIntervalMs);
    this.#pulse = setInterval(() => this.#checkPulse(heartbeatIntervalMs), heartbeatIntervalMs).unref();
  }

  send(text: string): void {
    const ms = this.latencyMs();
    if (ms === 0 && this.#late.length === 0) return this.#write(text);
    this.#late.push({ due: Date.now() + ms, text });
    this.#lateTimer ??= setTimeout(() => this.#sendLate(), ms).unref();
  }

  close(code: number, reason = ''): void {
    this.socket.close(code, reason);
  }

  /** Ends the TCP connection without a closing handshake. */
  terminate(): void {
    this.socket.terminate();
  }

  /** The session is no longer this connection's: the client may identify, or resume, on the same one. */
  invalidate(resumable: boolean): void {
    this.session?.detach(this, Date.now());
    this.session = null;
    this.#op(OP.invalidSession, resumable);
  }

  askToReconnect(): void {
    this.#op(OP.reconnect, null);
  }

  #write(text: string): void {
    if (this.socket.readyState === this.socket.OPEN) this.socket.send(text);
  }

  #sendLate(): void {
    this.#lateTimer = null;
    for (let next = this.#late[0]; next !== undefined && next.due <= Date.now(); next = this.#late[0]) {
      this.#write(next.text);
      this.#late.shift();
    }
    const [next] = this.#late;
    if (next !== undefined) this.#lateTimer = setTimeout(() => this.#sendLate(), next.due - Date.now()).unref();
  }

  /** While the gateway is deaf it does not even greet. */
  #greet(heartbeatIntervalMs: number): void {
    if (!this.handlers.isDeaf(null)) return this.#op(OP.hello, { heartbeat_interval: heartbeatIntervalMs, _trace: [] });
    setTimeout(() => {
      if (this.socket.readyState === this.socket.OPEN) this.#greet(heartbeatIntervalMs);
    }, DEAF_POLL_MS).unref();
  }

  /** A client that has not sent a heartbeat for two intervals is gone, whatever TCP says. */
  #checkPulse(heartbeatIntervalMs: number): void {
    const silentMs = Date.now() - this.#heartbeatAt;
    if (silentMs <= 2 * heartbeatIntervalMs + PULSE_SLACK_MS || this.handlers.isDeaf(this.shardId)) return;
    this.close(4009, 'Session timed out.');
    // A hung client does not answer the close either.
    setTimeout(() => this.socket.terminate(), PULSE_SLACK_MS).unref();
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
        this.#heartbeatAt = Date.now();
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
