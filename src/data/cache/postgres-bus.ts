import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import type { Clock } from '../../clock';
import { retryDelay } from '../redis';
import type { BusListener, InvalidationBus, InvalidationSender } from './bus';
import { decodeMessage, encodeLog, encodeMessage } from './bus-message';
import { CacheError, reasonOf } from './cache-error';
import type { ReportError } from './cache-error';
import { encodeRecord } from './invalidation-log';
import type { LogRecord } from './invalidation-log';
import { KeyQueue } from './key-queue';
import { Outbox } from './outbox';

export interface PostgresBusOptions {
  /** A client that is connected. */
  connect: () => Promise<Client>;
  processId: string;
  namespace: string;
  clock: Clock;
  report: ReportError;
  listener: BusListener;
}

/** NOTIFY takes less than 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900;
/** A connection can be dead without a word: it is asked this often and given up after that time, ms. */
const HEARTBEAT_MS = 5_000;
const QUERY_TIMEOUT_MS = 3_000;
const MAX_RETRY_MS = 2_000;

/** LISTEN/NOTIFY over one connection, where there is no Redis. What cannot be told while it is down is told afterwards. */
export class PostgresBus implements InvalidationBus, InvalidationSender {
  connected = false;
  sent = 0;
  received = 0;
  readonly #channel: string;
  readonly #ready: Promise<void>;
  #markReady: () => void = () => undefined;
  readonly #outbox = new Outbox();
  readonly #queries = new KeyQueue();
  #sending: Promise<void> | null = null;
  #client: Client | null = null;
  #attempt = 0;
  #closed = false;
  #cancelTimer: () => void = () => undefined;

  constructor(private readonly options: PostgresBusOptions) {
    // A channel is an identifier: at most 63 bytes.
    this.#channel = `botctl_cache_${createHash('sha256').update(options.namespace).digest('hex').slice(0, 32)}`;
    this.#ready = new Promise((resolve) => (this.#markReady = resolve));
    void this.#connect();
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  sendKey(region: string, key: string): Promise<void> {
    const text = encodeMessage(this.options.processId, { kind: 'key', region, key });
    if (Buffer.byteLength(text) + 2 > MAX_PAYLOAD_BYTES) {
      // Too long to be named: the longest beginning that can be.
      return this.sendRecord({ region, scope: { kind: 'prefix', pattern: key.slice(0, 1_000) } });
    }
    this.#outbox.addKey(region, key);
    return this.#flush();
  }

  sendRecord(record: LogRecord): Promise<void> {
    const { kind, pattern } = record.scope;
    const tooLong = Buffer.byteLength(JSON.stringify(pattern)) > MAX_PAYLOAD_BYTES / 2;
    this.#outbox.addRecord(tooLong ? { region: record.region, scope: shorten(kind, pattern) } : record);
    return this.#flush();
  }

  async close(): Promise<void> {
    if (this.connected) await this.#sending;
    this.#closed = true;
    this.#drop();
  }

  /** One sender at a time; what comes meanwhile goes in its next round, many messages in one notification. */
  #flush(): Promise<void> {
    if (!this.connected) return Promise.resolve();
    this.#sending ??= this.#send().finally(() => (this.#sending = null));
    return this.#sending;
  }

  async #send(): Promise<void> {
    // What is said in the same turn goes together.
    await Promise.resolve();
    const client = this.#client;
    while (client !== null && this.connected && !this.#outbox.isEmpty) {
      const { keys, records } = this.#outbox.take();
      const { processId } = this.options;
      const texts = [
        ...records.map((record) => encodeLog(processId, encodeRecord(record), 0)),
        ...keys.map(({ region, key }) => encodeMessage(processId, { kind: 'key', region, key })),
      ];
      try {
        await this.#query(client, 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload', [
          this.#channel,
          pack(texts),
        ]);
        this.sent += texts.length;
      } catch (error) {
        for (const record of records) this.#outbox.addRecord(record);
        for (const { region, key } of keys) this.#outbox.addKey(region, key);
        this.#lose(client, reasonOf(error));
      }
    }
  }

  async #connect(): Promise<void> {
    let client: Client | null = null;
    try {
      client = await this.options.connect();
      const mine = client;
      if (this.#closed) return void mine.end().catch(() => undefined);
      this.#client = mine;
      mine.on('error', (error) => this.#lose(mine, reasonOf(error)));
      mine.on('end', () => this.#lose(mine, 'connection lost'));
      mine.on('notification', ({ payload = '' }) => this.#hear(payload));
      await this.#query(mine, `LISTEN ${this.#channel}`);
      await this.options.listener.onConnected();
      if (!this.#isCurrent(mine)) return;
      this.connected = true;
      this.#attempt = 0;
      await this.#flush();
      this.#markReady();
      this.#heartbeat(mine);
    } catch (error) {
      this.#lose(client, reasonOf(error));
    }
  }

  #isCurrent(client: Client): boolean {
    return this.#client === client;
  }

  #hear(payload: string): void {
    for (const text of unpack(payload)) {
      const heard = decodeMessage(text);
      if (heard === null || heard.from === this.options.processId) continue;
      this.received += 1;
      this.options.listener.onMessage(heard.message, false);
    }
  }

  #heartbeat(client: Client): void {
    if (!this.#isCurrent(client)) return;
    this.#cancelTimer = this.options.clock.after(HEARTBEAT_MS, () => {
      this.#query(client, 'SELECT 1').then(
        () => this.#heartbeat(client),
        (error: unknown) => this.#lose(client, reasonOf(error)),
      );
    });
  }

  /** One query at a time on a connection. */
  #query(client: Client, text: string, values: unknown[] = []): Promise<void> {
    return this.#queries.run('', () => this.#queryNow(client, text, values));
  }

  async #queryNow(client: Client, text: string, values: unknown[]): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = this.options.clock.after(QUERY_TIMEOUT_MS, () => reject(new Error('no answer')));
    });
    try {
      await Promise.race([client.query(text, values), late]);
    } finally {
      cancel();
    }
  }

  #lose(client: Client | null, reason: string): void {
    if (client !== this.#client) return; // of an earlier connection
    const wasConnected = this.connected;
    this.#drop();
    if (this.#closed) return;
    if (wasConnected) {
      this.options.report(new CacheError('BUS', `Invalidations of other processes are not heard: ${reason}`));
    }
    this.#attempt += 1;
    this.#cancelTimer = this.options.clock.after(retryDelay(this.#attempt, MAX_RETRY_MS), () => void this.#connect());
  }

  #drop(): void {
    const client = this.#client;
    this.#client = null;
    this.connected = false;
    this.#cancelTimer();
    client?.end().catch(() => undefined);
  }
}

/** A scope that covers the given one and can be named in few bytes. */
function shorten(kind: LogRecord['scope']['kind'], pattern: string): LogRecord['scope'] {
  return kind === 'prefix' ? { kind, pattern: pattern.slice(0, 500) } : { kind: 'all', pattern: '' };
}

/** Messages one a line, in as few payloads as hold them. JSON has no raw line breaks. */
function pack(texts: readonly string[]): string[] {
  const payloads: string[] = [];
  let current = '';
  for (const text of texts) {
    const next = current === '' ? text : `${current}\n${text}`;
    if (current !== '' && Buffer.byteLength(next) > MAX_PAYLOAD_BYTES) {
      payloads.push(current);
      current = text;
    } else current = next;
  }
  return current === '' ? payloads : [...payloads, current];
}

function unpack(payload: string): string[] {
  return payload.split('\n');
}
