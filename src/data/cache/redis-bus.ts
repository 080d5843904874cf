import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Clock } from '../../clock';
import { createSubscriber, redisReason, retryDelay } from '../redis';
import type { RedisSource } from '../redis';
import type { BusListener, InvalidationBus } from './bus';
import { decodeMessage, encodeMessage } from './bus-message';
import { CacheError } from './cache-error';
import type { ReportError } from './cache-error';

export interface RedisBusOptions {
  source: RedisSource;
  processId: string;
  channel: string;
  clock: Clock;
  report: ReportError;
  listener: BusListener;
  /** Says something to everybody, over another connection; false when it could not. */
  publish: (text: string) => Promise<boolean>;
}

/** The bus listens to itself this often; it is deaf when it has not heard itself twice, ms. */
const ECHO_MS = 1_000;
const MISSED_ECHOES = 2;
const ANSWER_TIMEOUT_MS = 2_000;
const MAX_RETRY_MS = 1_000;

/**
 * Publish/subscribe over one connection. Chosen over CLIENT TRACKING in broadcast mode, which is as fast, because that
 * one also tells of each fill, lease and expiry to each process, and has to be set up on each node of a cluster.
 */
export class RedisBus implements InvalidationBus {
  connected = false;
  sent = 0;
  received = 0;
  readonly #ready: Promise<void>;
  #markReady: () => void = () => undefined;
  #client: Redis | null = null;
  #attempt = 0;
  #closed = false;
  #cancelTimer: () => void = () => undefined;
  #nonce = '';
  #unheard = 0;

  constructor(private readonly options: RedisBusOptions) {
    this.#ready = new Promise((resolve) => (this.#markReady = resolve));
    void this.#connect();
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.connected = false;
    this.#cancelTimer();
    const client = this.#client;
    this.#client = null;
    client?.disconnect();
    return Promise.resolve();
  }

  async #connect(): Promise<void> {
    const { source, processId, channel, listener } = this.options;
    let client: Redis | null = null;
    try {
      client = createSubscriber(
        source,
        {
          connectionName: `botctl-cache-bus-${processId}`,
          answerTimeoutMs: ANSWER_TIMEOUT_MS,
          onError: () => undefined, // `close` follows
        },
        this.#attempt,
      );
      this.#client = client;
      client.on('message', (_: string, text: string) => this.#hear(text));
      await client.connect();
      await client.subscribe(channel);
      await listener.onConnected();
      // A connection that was lost meanwhile has said so to nobody yet.
      if (client !== this.#client || client.status !== 'ready') throw new Error('connection lost');
      client.once('close', () => this.#lose(client, 'connection lost'));
      this.connected = true;
      this.#attempt = 0;
      this.#unheard = 0;
      this.#markReady();
      this.#cancelTimer = this.options.clock.after(ECHO_MS, () => void this.#echo());
    } catch (error) {
      this.#lose(client, redisReason(error));
    }
  }

  #hear(text: string): void {
    const heard = decodeMessage(text);
    if (heard === null) return;
    const { from, message } = heard;
    const own = from === this.options.processId;
    if (message.kind === 'echo') {
      if (own && message.nonce === this.#nonce) this.#unheard = 0;
      return;
    }
    if (own) this.sent += 1;
    else this.received += 1;
    this.options.listener.onMessage(message, own);
  }

  /** A connection can be dead without a word: say something and hear it. */
  async #echo(): Promise<void> {
    const client = this.#client;
    if (this.#unheard >= MISSED_ECHOES) {
      this.#lose(client, 'nothing is heard on it');
      return;
    }
    this.#nonce = randomUUID();
    this.#unheard += 1;
    const said = await this.options.publish(
      encodeMessage(this.options.processId, { kind: 'echo', nonce: this.#nonce }),
    );
    if (!said) this.#unheard = await this.#pings(client);
    if (client !== this.#client || !this.connected) return;
    this.#cancelTimer = this.options.clock.after(ECHO_MS, () => void this.#echo());
  }

  /** Where nothing can be said, the connection's own answer has to do. 0 when it came. */
  async #pings(client: Redis | null): Promise<number> {
    const answered = await client?.ping().catch(() => undefined);
    return answered === undefined ? MISSED_ECHOES : 0;
  }

  #lose(client: Redis | null, reason: string): void {
    if (client !== null && client !== this.#client) return;
    this.#client = null;
    this.#cancelTimer();
    // A second time it would wait 2 s for a close that has been.
    if (client !== null && !['close', 'end'].includes(client.status)) client.disconnect();
    if (this.#closed) return;
    if (this.connected) {
      this.options.report(new CacheError('BUS', `Invalidations of other processes are not heard: ${reason}`));
    }
    this.connected = false;
    this.#attempt += 1;
    this.#cancelTimer = this.options.clock.after(retryDelay(this.#attempt, MAX_RETRY_MS), () => void this.#connect());
  }
}
