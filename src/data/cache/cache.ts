import { setMaxListeners } from 'node:events';
import type { Client } from 'pg';
import { systemClock } from '../../clock';
import type { Clock } from '../../clock';
import type { RedisSource } from '../redis';
import type { BusListener, InvalidationBus, InvalidationSender } from './bus';
import type { BusMessage } from './bus-message';
import type { ReportError } from './cache-error';
import { sumStats } from './cache-stats';
import type { CacheStats } from './cache-stats';
import { InvalidationLog } from './invalidation-log';
import { LeaseWaiters } from './lease-waiters';
import { MemoryLevel } from './memory-level';
import type { MemoryOptions } from './memory-level';
import { PostgresBus } from './postgres-bus';
import { RedisBus } from './redis-bus';
import { RedisLevel } from './redis-level';
import { Region } from './region';
import type { RegionOptions } from './region-options';
import type { RegionParts } from './region-parts';
import { turnClock } from './turn-clock';

export interface CacheOptions {
  /** Unlike that of any other process on the same namespace. */
  processId: string;
  /** Begins every key in Redis and names the channel: one per bot. No braces. */
  namespace: string;
  l1: MemoryOptions;
  /** null: no L2. */
  redis: RedisSource | null;
  /** Makes a connected client for LISTEN/NOTIFY (not through PgBouncer); used where there is no Redis. null: no bus. */
  notify: (() => Promise<Client>) | null;
  clock?: Clock;
  /** What the cache survived by itself, for the log. */
  onError?: ReportError;
  /** Why Redis is left alone from now on; null: it is used again. */
  onRedis?: (reason: string | null) => void;
  /** Redis is left alone when it owes an answer for longer, ms. Default 500. */
  answerTimeoutMs?: number;
}

const ANSWER_TIMEOUT_MS = 500;
const READY_MS = 5_000;

/** Three levels: this process's memory, Redis, and a durable level or the bot's own loader; see Region. */
export class Cache {
  readonly #regions = new Map<string, Pick<Region<unknown>, 'stats' | 'heardKey' | 'heardGap'>>();
  readonly #parts: RegionParts;
  readonly #closing = new AbortController();

  constructor(options: CacheOptions) {
    const { processId, namespace, l1, clock = turnClock(systemClock), onError: report = () => undefined } = options;
    setMaxListeners(0, this.#closing.signal); // one for each load under way
    if (/[{}]/.test(namespace)) throw new RangeError('a cache namespace holds no braces');
    const log = new InvalidationLog();
    const common = { processId, clock, report };
    const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = options;
    const redis =
      options.redis === null
        ? null
        : new RedisLevel({ ...common, source: options.redis, namespace, answerTimeoutMs, log, onUse: options.onRedis });
    const listener: BusListener = {
      onMessage: (message, own) => this.#hear(message, own),
      onConnected: () => this.#reconnected(),
    };
    let bus: (InvalidationBus & Partial<InvalidationSender>) | null = null;
    let sender: InvalidationSender | null = null;
    if (redis !== null && options.redis !== null) {
      const { channel } = redis;
      bus = new RedisBus({
        ...common,
        source: options.redis,
        channel,
        listener,
        publish: (text) => redis.publish(text),
      });
    } else if (options.notify !== null) {
      const postgres = new PostgresBus({ ...common, connect: options.notify, namespace, listener });
      bus = postgres;
      sender = postgres;
    }
    this.#parts = {
      memory: new MemoryLevel(l1),
      redis,
      bus,
      sender,
      log,
      waiters: new LeaseWaiters(clock),
      clock,
      report,
      closing: this.#closing.signal,
    };
  }

  /** @throws RangeError when the name is taken or a duration makes no sense */
  region<T>(name: string, options: RegionOptions<T>): Region<T> {
    if (this.#regions.has(name)) throw new RangeError(`there is a cache region ${name} already`);
    if (/[\0{}]/.test(name) || name === '') throw new RangeError(`no name for a cache region: ${JSON.stringify(name)}`);
    const region = new Region<T>(name, options, this.#parts);
    this.#regions.set(name, region);
    return region;
  }

  /** Once Redis and the bus are in use; not needed before a get. false: not within that time, ms. */
  async ready(timeoutMs = READY_MS): Promise<boolean> {
    const { redis, bus, clock } = this.#parts;
    let cancel = (): void => undefined;
    const late = new Promise<false>((resolve) => (cancel = clock.after(timeoutMs, () => resolve(false))));
    const up = Promise.all([redis?.started, bus?.ready()]).then(() => redis?.usable !== false);
    try {
      return await Promise.race([up, late]);
    } finally {
      cancel();
    }
  }

  stats(): CacheStats {
    const { memory, redis, bus } = this.#parts;
    return {
      ...sumStats([...this.#regions.values()].map((region) => region.stats())),
      memory: memory.size,
      redis: redis === null ? null : { breaker: redis.state, errors: redis.errors },
      bus: bus === null ? null : { connected: bus.connected, sent: bus.sent, received: bus.received },
    };
  }

  /** Lets go of all that L1 holds: memory is short. How many entries that were. */
  dropMemory(): number {
    return this.#parts.memory.clear();
  }

  /** A new connection to Redis instead of the present one. False: there is no Redis. */
  reconnectRedis(): boolean {
    const { redis } = this.#parts;
    redis?.reconnect();
    return redis !== null;
  }

  /** Ends connections and loads; values in L1 are still served. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#parts.bus?.close();
    this.#parts.redis?.close();
  }

  #hear(message: BusMessage, own: boolean): void {
    const { waiters, log } = this.#parts;
    switch (message.kind) {
      case 'log':
        if (!own) log.addMember(message.member, message.seq);
        return;
      case 'key':
        if (!own) this.#regions.get(message.region)?.heardKey(message.key);
        return waiters.wake(`${message.region}\0${message.key}`, { kind: 'over' });
      case 'filled':
        return waiters.wake(`${message.region}\0${message.key}`, { kind: 'over' });
      case 'failed':
        return waiters.wake(
          `${message.region}\0${message.key}`,
          own ? { kind: 'over' } : { kind: 'failed', reason: message.reason },
        );
      case 'echo':
        return;
    }
  }

  /** What was said before may have been missed: nothing in L1 counts any more. */
  async #reconnected(): Promise<void> {
    const { log, redis, waiters } = this.#parts;
    log.dropLocal();
    for (const region of this.#regions.values()) region.heardGap();
    waiters.wakeAll();
    await redis?.sync();
  }
}
