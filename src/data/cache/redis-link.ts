import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleAll, isBrokenCircuitError } from 'cockatiel';
import { Cluster } from 'ioredis';
import type { Clock } from '../../clock';
import { createRedis, redisReason } from '../redis';
import type { RedisClient, RedisSource } from '../redis';
import { CacheError } from './cache-error';
import type { ReportError } from './cache-error';
import { SCRIPTS } from './redis-scripts';
import { watchSilence } from './silence-watch';

/** Whether Redis is asked at all. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** The client with our scripts. Buffers in and out: keys and entries are bytes. */
export type ScriptedRedis = RedisClient & {
  cacheAcquireBuffer(...args: [...Keys, string, number, Buffer | string]): Promise<[0, Buffer] | [1] | [2, number]>;
  cacheFill(...args: [...Keys, string, Buffer, number, string, string]): Promise<number>;
  cacheRelease(...args: [...Keys, string, string, string]): Promise<number>;
  cacheRenew(...args: [...Keys, string, number]): Promise<number>;
  cacheWrite(...args: [...Keys, Buffer, number, string, string]): Promise<number>;
  cacheDelete(...args: [...Keys, string, string]): Promise<number>;
  cacheAppend(
    log: string,
    member: string,
    keptUs: number,
    most: number,
    channel: string,
    start: string,
  ): Promise<string>;
  cacheSync(log: string, known: string, channel: string, start: string): Promise<string[]>;
};
type Keys = [entry: string, lease: string];

export interface RedisLinkOptions {
  source: RedisSource;
  connectionName: string;
  answerTimeoutMs: number;
  clock: Clock;
  report: ReportError;
  /** Why Redis is left alone from now on; null: it is used again. */
  onUse?: ((reason: string | null) => void) | undefined;
  /** Runs when Redis answers again, before it is used: tell it what it missed. A rejection keeps it out of use. */
  recover: (redis: ScriptedRedis) => Promise<void>;
}

/** While Redis does not answer it is asked again this often, ms. */
const PROBE_MS = 250;
const MAX_RETRY_MS = 1_000;
/** A get before the first connection waits at most this long for it, ms. */
const START_MS = 1_000;
/** Answers of a server that is there and cannot serve. Anything else that Redis says concerns one command. */
const NOT_SERVING = /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|NOAUTH|NOPERM|WRONGPASS|TRYAGAIN|BUSY)\b/;

/**
 * The command connection and its circuit breaker. One failure opens it: from then on nobody waits for Redis, each get
 * looks at a boolean; a probe of our own finds out when it is back.
 */
export class RedisLink {
  readonly redis: ScriptedRedis;
  /** Until the first connection stood or failed. */
  readonly started: Promise<void>;
  /** Redis answers and knows all that this process has to tell. Read at each get, hence a field. */
  usable = false;
  errors = 0;
  #closed = false;
  #probing = false;
  #gathering = false;
  #lastReason = 'not connected yet';
  #cancelProbe: () => void = () => undefined;
  #markStarted: () => void = () => undefined;
  #endWatch: () => void = () => undefined;
  readonly #breaker = circuitBreaker(handleAll, { halfOpenAfter: PROBE_MS, breaker: new ConsecutiveBreaker(1) });

  constructor(private readonly options: RedisLinkOptions) {
    this.started = new Promise((resolve) => (this.#markStarted = resolve));
    options.clock.after(START_MS, this.#markStarted);
    this.redis = createRedis(options.source, {
      connectionName: options.connectionName,
      answerTimeoutMs: options.source.kind === 'cluster' ? options.answerTimeoutMs : null,
      maxRetryMs: MAX_RETRY_MS,
      onError: (reason) => {
        this.#lastReason = reason;
        this.#markStarted();
      },
    }) as ScriptedRedis;
    if (!(this.redis instanceof Cluster)) {
      this.#endWatch = watchSilence(this.redis, options.answerTimeoutMs, options.clock);
    }
    for (const [name, script] of Object.entries(SCRIPTS)) this.redis.defineCommand(name, script);
    this.redis.on('ready', () => void this.#probe());
    this.redis.on('close', () => {
      if (!this.#closed && this.usable) this.fail(new Error('connection lost'));
    });
  }

  get state(): BreakerState {
    if (this.#breaker.state === CircuitState.Closed) return this.usable ? 'closed' : 'open';
    return this.#breaker.state === CircuitState.HalfOpen ? 'half-open' : 'open';
  }

  /** Takes note of a failed command: either Redis is out of use from here on, or only that command was at fault. */
  fail(error: unknown): void {
    if (this.#closed) return;
    this.errors += 1;
    const reason = redisReason(error);
    if (error instanceof Error && error.name === 'ReplyError' && !NOT_SERVING.test(reason)) {
      this.options.report(new CacheError('L2_COMMAND', `Redis refused a command: ${reason}`));
      return;
    }
    this.#lastReason = reason;
    if (!this.usable) return; // the probe under way finds out
    this.usable = false;
    this.#breaker.execute(() => Promise.reject(new Error(reason))).catch(() => undefined);
    this.options.onUse?.(reason);
    this.options.report(new CacheError('L2_UNAVAILABLE', `Redis is left alone until it answers again: ${reason}`));
    this.#probeLater();
  }

  /** Out of use until `recover` has run: there is something that Redis has to be told first. */
  suspend(): void {
    if (!this.usable) return;
    this.usable = false;
    void this.#probe();
  }

  /**
   * To be called after a command was sent: the further ones of this turn of the event loop go out in one write. A write to
   * the socket for each costs more than all else about it. The first is not held up, as ioredis's own auto-pipelining does.
   */
  gather(): void {
    // A cluster has a socket for each node, and leaves it to them.
    if (this.#gathering || this.redis instanceof Cluster) return;
    const { stream } = this.redis;
    this.#gathering = true;
    stream.cork();
    process.nextTick(() => {
      this.#gathering = false;
      stream.uncork();
    });
  }

  /** A new connection; the one that is there takes nothing more. */
  reconnect(): void {
    if (!this.#closed) this.redis.disconnect(true);
  }

  close(): void {
    this.#closed = true;
    this.usable = false;
    this.#cancelProbe();
    this.#endWatch();
    this.#markStarted();
    this.redis.disconnect();
  }

  #probeLater(): void {
    this.#cancelProbe();
    if (!this.#closed) this.#cancelProbe = this.options.clock.after(PROBE_MS, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    if (this.usable || this.#closed || this.#probing) return;
    if (!this.#isReady()) return; // its own `ready` calls again
    this.#probing = true;
    try {
      await this.#breaker.execute(() => this.options.recover(this.redis));
      if (this.#isReady()) {
        this.usable = true;
        this.options.onUse?.(null);
      }
      this.#markStarted();
    } catch (error) {
      if (!isBrokenCircuitError(error)) this.#lastReason = redisReason(error);
      this.#markStarted();
      this.#probeLater();
    } finally {
      this.#probing = false;
    }
  }

  #isReady(): boolean {
    return !this.#closed && this.redis.status === 'ready';
  }

  /** Why Redis is not in use. */
  get reason(): string {
    return this.#lastReason;
  }
}
