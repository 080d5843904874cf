import { WebSocket } from 'ws';
import { until } from '../support/until';

interface Payload {
  op: number;
  t: string | null;
  s: number | null;
  d: unknown;
}

/** A bare client of the gateway: says exactly what the test says. */
export class GatewayClient {
  readonly received: Payload[] = [];
  closeCode: number | null = null;
  readonly #socket: WebSocket;

  constructor(port: number, version = 10) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/?v=${version}&encoding=json`);
    this.#socket.on('message', (data) => this.received.push(JSON.parse((data as Buffer).toString()) as Payload));
    this.#socket.on('close', (code) => (this.closeCode = code));
    this.#socket.on('error', () => undefined);
  }

  async hello(): Promise<void> {
    await this.untilOp(10);
  }

  send(op: number, d: unknown): void {
    this.#socket.send(JSON.stringify({ op, d }));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  async identify(shard: [number, number], options: { token?: string; intents?: number } = {}): Promise<void> {
    await this.hello();
    this.send(2, { token: 'good-token', intents: 1, properties: {}, shard, ...options });
  }

  async resume(sessionId: string, seq: number, token = 'good-token'): Promise<void> {
    await this.hello();
    this.send(6, { token, session_id: sessionId, seq });
  }

  /** Everything of a session, once READY has come and all its guilds. */
  async ready(guilds: number): Promise<{ sessionId: string; seq: number }> {
    await until(() => this.events('GUILD_CREATE').length >= guilds && this.events('READY').length === 1);
    const { session_id: sessionId } = this.events('READY')[0]?.d as { session_id: string };
    return { sessionId, seq: this.lastSeq };
  }

  events(t: string): Payload[] {
    return this.received.filter((payload) => payload.t === t);
  }

  get lastSeq(): number {
    return Math.max(0, ...this.received.map(({ s }) => s ?? 0));
  }

  async untilOp(op: number): Promise<Payload> {
    await until(() => this.received.some((payload) => payload.op === op));
    return this.received.find((payload) => payload.op === op) ?? { op, t: null, s: null, d: null };
  }

  async untilEvent(t: string): Promise<void> {
    await until(() => this.events(t).length > 0);
  }

  async untilClosed(): Promise<number> {
    await until(() => this.closeCode !== null);
    return this.closeCode ?? 0;
  }

  close(code: number): void {
    this.#socket.close(code);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
