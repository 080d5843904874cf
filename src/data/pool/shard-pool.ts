import { createHistogram } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { type Client, Pool, type PoolClient, type PoolConfig, Query, type QueryResult } from 'pg';
import { DataError } from '../data-error';
import type { PoolShare } from './budget';
import { classify, endsConnection } from './classify';
import { connectClient } from './connect';
import type { Pass } from './fence';
import { type Fenced, FencedQuery } from './fenced-query';
import { type CircuitName, ShardBreaker } from './shard-breaker';
import { StatementLane } from './statement-lane';
import { isStaleName, StatementNames } from './statement-names';
import { within } from '../../within';

/** Durations in ms. */
export interface PoolSettings {
  acquireTimeout: number;
  idleTimeout: number;
  maxLifetime: number;
  /** 0: none. */
  statementTimeout: number;
  idleInTransactionTimeout: number;
  /** A pooler in transaction mode is between: no start-up parameters, no named statements. */
  pgbouncer: boolean;
  preparedStatements: boolean;
  ssl?: ConnectionOptions | undefined;
}

export interface ShardPoolOptions extends PoolSettings {
  shard: number;
  url: string;
  share: PoolShare;
  applicationName: string;
  /** Why the shard is left alone from now on; null: it is used again. */
  onCircuit?: ((shard: number, reason: string | null) => void) | undefined;
}

/** A connection in somebody's hands. To be released once. */
export interface HeldClient {
  readonly client: PoolClient;
  readonly release: () => void;
}

export interface PoolStats {
  shard: number;
  max: number;
  total: number;
  idle: number;
  inUse: number;
  waiting: number;
  /** Single statements under way on shared connections. */
  statements: number;
  acquired: number;
  released: number;
  created: number;
  destroyed: number;
  acquireTimeouts: number;
  errors: number;
  /** open: nothing is sent to the shard, since it does not answer. */
  circuit: CircuitName;
  /** Statements that were refused for that. */
  refused: number;
  /** Time until a connection was there, ms. */
  acquireMs: { p50: number; p99: number; max: number };
}

/** The client's own time-out comes so much later than the server's, ms: it is for servers that do not answer at all. */
const DEAD_SERVER_MS = 10_000;
/** A server that owes an answer, or a connection, for so long is looked at by a probe, ms. */
const SILENT_MS = 3_000;
/** Time for a probe, ms. */
const PROBE_MS = 2_000;
/** Connections in use have so long to come back when the pool is closed, ms. */
const CLOSE_MS = 5_000;

/** Connections of this process to one database shard. */
export class ShardPool {
  readonly shard: number;
  readonly #pool: Pool;
  readonly #lane: StatementLane;
  readonly #named: boolean;
  readonly #names: StatementNames;
  readonly #acquire = createHistogram();
  /** Connections that must not be used again. */
  readonly #broken = new WeakSet<PoolClient>();
  readonly #counts = { acquired: 0, released: 0, created: 0, destroyed: 0, acquireTimeouts: 0, errors: 0, refused: 0 };
  readonly #breaker: ShardBreaker;
  /** When each statement on a lent connection was sent, and each connection asked for. */
  readonly #owed = new Set<{ since: number }>();
  /** In whose use connections are. */
  readonly #lent = new Set<PoolClient>();

  constructor(private readonly options: ShardPoolOptions) {
    this.shard = options.shard;
    this.#pool = new Pool(poolConfig(options));
    this.#pool.on('error', () => this.#counts.errors++); // an idle connection broke: the pool has dropped it
    this.#pool.on('connect', (client) => {
      this.#counts.created++;
      client.on('error', () => undefined); // told by the rejected query
    });
    this.#pool.on('acquire', (client) => {
      this.#counts.acquired++;
      this.#lent.add(client);
    });
    this.#pool.on('release', (_, client) => {
      this.#counts.released++;
      this.#lent.delete(client);
    });
    this.#pool.on('remove', () => this.#counts.destroyed++);
    this.#lane = new StatementLane(this.#pool, (client) => this.#broken.has(client));
    this.#breaker = new ShardBreaker({
      probe: () => this.#look(),
      isSilent: () => this.#isSilent(),
      onChange: (reason) => options.onCircuit?.(this.shard, reason),
    });
    this.#named = options.preparedStatements && !options.pgbouncer;
    this.#names = new StatementNames(this.#named);
  }

  /**
   * Runs one statement.
   * @param pass refused with SQLSTATE BC001 when its guild is not on the shard; null: no guild is asked for
   * @throws DataError, or pg's DatabaseError when the statement is at fault
   */
  async query(pass: Pass | null, text: string, values: readonly unknown[]): Promise<QueryResult> {
    this.#admit();
    try {
      return await this.#run(pass, text, values);
    } catch (error) {
      // It was refused before it ran.
      if (!isStaleName(error)) throw error;
      this.#names.rename(text);
      return this.#run(pass, text, values);
    }
  }

  /** Hands out a connection; it goes back when `fn` settles. */
  async withClient<T>(fn: (client: PoolClient) => Promise<T>): Promise<T> {
    const { client, release } = await this.hold();
    try {
      return await fn(client);
    } finally {
      release();
    }
  }

  /** Hands out a connection until it is released. @throws DataError POOL_TIMEOUT, UNAVAILABLE, … */
  async hold(): Promise<HeldClient> {
    const client = await this.#acquireClient();
    const onError = (): void => void this.#broken.add(client);
    client.on('error', onError);
    const release = (): void => {
      client.off('error', onError);
      client.release(this.#broken.has(client) || isUnclean(client));
    };
    return { client, release };
  }

  /** One statement of a caller who holds the connection. */
  async queryOn(client: PoolClient, pass: Pass | null, text: string, values: readonly unknown[]): Promise<QueryResult> {
    return this.#owing(this.#queryOn(client, pass, text, values));
  }

  async #queryOn(
    client: PoolClient,
    pass: Pass | null,
    text: string,
    values: readonly unknown[],
  ): Promise<QueryResult> {
    // Without values it goes out as it is: BEGIN, COMMIT, several statements at once.
    const name = values.length === 0 ? undefined : this.#names.of(text).name;
    try {
      return await new Promise<QueryResult>((resolve, reject) => {
        const done = (error: Error | null, result: QueryResult): void => {
          if (error && endsConnection(error)) this.#broken.add(client);
          if (error) reject(this.#failed(classify(error, this.shard, true)));
          else resolve(result);
        };
        client.query(this.#create(pass, text, values, name, done));
      });
    } catch (error) {
      if (isStaleName(error)) this.#names.rename(text);
      throw error;
    }
  }

  /**
   * Begins a transaction that has passed the ownership check, with its first statement, in one round trip.
   * @param text "BEGIN …"
   */
  async begin(
    client: PoolClient,
    pass: Pass,
    text: string,
    statement: { text: string; values: readonly unknown[] },
  ): Promise<QueryResult> {
    // Without values it could be several statements, which go out another way.
    if (statement.values.length === 0) {
      await this.#begin(client, pass, { begin: text });
      return this.queryOn(client, null, statement.text, []);
    }
    const attempt = (): Promise<QueryResult> => {
      const { name } = this.#names.of(statement.text);
      return this.#begin(client, pass, { begin: text, statement: { ...statement, name } });
    };
    try {
      return await attempt();
    } catch (error) {
      if (!isStaleName(error)) throw error;
      // It was refused before it ran.
      this.#names.rename(statement.text);
      await client.query('ROLLBACK');
      return attempt();
    }
  }

  #begin(client: PoolClient, pass: Pass, fenced: Fenced): Promise<QueryResult> {
    const begun = new Promise<QueryResult>((resolve, reject) => {
      const done = (error: Error | null, result: QueryResult): void => {
        if (error && endsConnection(error)) this.#broken.add(client);
        if (error) reject(this.#failed(classify(error, this.shard, true)));
        else resolve(result);
      };
      client.query(new FencedQuery(fenced, pass, done, this.#named));
    });
    return this.#owing(begun);
  }

  async #acquireClient(): Promise<PoolClient> {
    this.#admit();
    const since = performance.now();
    try {
      const client = await this.#owing(this.#pool.connect());
      this.#acquire.record(Math.max(1, Math.round((performance.now() - since) * 1_000)));
      return client;
    } catch (error) {
      throw this.#failed(this.#acquireError(error));
    }
  }

  /** Why nothing is sent to the shard at the moment; null: it is used. */
  get openReason(): string | null {
    return this.#breaker.reason;
  }

  /**
   * New connections instead of the present ones: idle ones are closed now, those in use when they come back. Where the
   * server does not answer at all, what waits on them fails, without a known outcome.
   * @returns how many connections are or will be closed
   */
  async recycle(): Promise<number> {
    const lent = [...this.#lent];
    for (const client of lent) this.#broken.add(client);
    if (this.#breaker.isOpen) for (const client of lent) cutOff(client);
    const idle: PoolClient[] = [];
    // Idle connections are lent first, and nobody waits while there are any.
    for (let count = this.#pool.idleCount; count > 0; count--) idle.push(await this.#pool.connect());
    for (const client of idle) client.release(true);
    return lent.length + idle.length;
  }

  /** So many times the configured connections may be open. */
  scale(factor: number): number {
    const max = Math.max(1, Math.round(this.options.share.max * factor));
    this.#pool.options.max = max;
    return max;
  }

  /** @throws DataError UNAVAILABLE while the circuit is open */
  #admit(): void {
    const breaker = this.#breaker;
    if (!breaker.isOpen) return;
    this.#counts.refused++;
    throw new DataError(
      'UNAVAILABLE',
      `database shard ${this.shard}: it is left alone until it answers again (${breaker.reason ?? 'no answer'})`,
      { shard: this.shard },
    );
  }

  #failed(error: Error): Error {
    if (error instanceof DataError && error.code === 'UNAVAILABLE') this.#breaker.doubt();
    return error;
  }

  async #owing<T>(work: Promise<T>): Promise<T> {
    const owed = { since: performance.now() };
    this.#owed.add(owed);
    try {
      return await work;
    } finally {
      this.#owed.delete(owed);
    }
  }

  #isSilent(): boolean {
    const before = performance.now() - SILENT_MS;
    if (this.#lane.oldestAnswerAt < before) return true;
    // In the order of asking: the first is the oldest.
    const [oldest] = this.#owed;
    return oldest !== undefined && oldest.since < before;
  }

  /** A connection and a statement, past the pool. */
  async #look(): Promise<void> {
    const { url, ssl, applicationName } = this.options;
    const client = await connectClient({ url, ssl, applicationName: `${applicationName} probe`, timeout: PROBE_MS });
    try {
      await within(PROBE_MS, client.query('SELECT 1'));
    } finally {
      cutOff(client);
    }
  }

  stats(): PoolStats {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    const ms = (microseconds: number): number => (this.#acquire.count === 0 ? 0 : microseconds / 1_000);
    return {
      shard: this.shard,
      max: this.#pool.options.max,
      total: totalCount,
      idle: idleCount,
      inUse: totalCount - idleCount,
      waiting: waitingCount + this.#lane.waiting,
      statements: this.#lane.inFlight,
      ...this.#counts,
      circuit: this.#breaker.state,
      acquireMs: {
        p50: ms(this.#acquire.percentile(50)),
        p99: ms(this.#acquire.percentile(99)),
        max: ms(this.#acquire.max),
      },
    };
  }

  /** Waits a while for connections in use, then leaves them to their end. */
  async close(): Promise<void> {
    this.#breaker.close();
    await Promise.race([this.#pool.end(), delay(CLOSE_MS, undefined, { ref: false })]);
  }

  async #run(pass: Pass | null, text: string, values: readonly unknown[]): Promise<QueryResult> {
    const traits = this.#names.of(text);
    if (traits.slow) {
      return this.withClient((client) => {
        const since = performance.now();
        return this.queryOn(client, pass, text, values).finally(() =>
          this.#names.took(traits, performance.now() - since),
        );
      });
    }
    const progress = { sent: false };
    try {
      return await this.#lane.run(
        (done) => {
          progress.sent = true;
          return this.#create(pass, text, values, traits.name, done);
        },
        (ms) => this.#names.took(traits, ms),
      );
    } catch (error) {
      throw this.#failed(progress.sent ? classify(error, this.shard, true) : this.#acquireError(error));
    }
  }

  #create(
    pass: Pass | null,
    text: string,
    values: readonly unknown[],
    name: string | undefined,
    done: (error: Error | null, result: QueryResult) => void,
  ): Query {
    if (pass !== null) return new FencedQuery({ statement: { text, values, name } }, pass, done, this.#named);
    const query = new Query({ text, values: [...values], ...(name !== undefined && { name }) });
    (query as unknown as { callback: typeof done }).callback = done;
    return query;
  }

  #acquireError(error: unknown): Error {
    const classified = classify(error, this.shard, false);
    if (!(classified instanceof DataError) || classified.code !== 'POOL_TIMEOUT') return classified;
    this.#counts.acquireTimeouts++;
    const { max } = this.#pool.options;
    return new DataError(
      'POOL_TIMEOUT',
      `database shard ${this.shard}: no connection became free within ${this.options.acquireTimeout / 1_000} s ` +
        `(${this.#pool.totalCount} of ${max} in use, ${this.#pool.waitingCount} waiting)`,
      { cause: error, shard: this.shard },
    );
  }
}

/** Ends a connection without a word: a server that hangs would not hear it. */
function cutOff(client: PoolClient | Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

/** A connection that is still inside a transaction is not for the next one. */
function isUnclean(client: PoolClient): boolean {
  const status = (client as unknown as { _txStatus: string | null })._txStatus;
  return status === 'T' || status === 'E';
}

function poolConfig(options: ShardPoolOptions): PoolConfig {
  const { share, statementTimeout, pgbouncer, ssl } = options;
  const config: PoolConfig & { pipeline: boolean } = {
    connectionString: options.url,
    max: share.max,
    min: share.min,
    connectionTimeoutMillis: options.acquireTimeout,
    idleTimeoutMillis: options.idleTimeout,
    maxLifetimeSeconds: options.maxLifetime / 1_000,
    keepAlive: true,
    pipeline: true,
    // A bot must be able to end by itself: an idle connection does not hold the process.
    allowExitOnIdle: true,
    ...(ssl !== undefined && { ssl }),
    ...(statementTimeout > 0 && { query_timeout: statementTimeout + DEAD_SERVER_MS }),
  };
  if (pgbouncer) return config;
  return {
    ...config,
    application_name: options.applicationName,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeout,
    ...(statementTimeout > 0 && { statement_timeout: statementTimeout }),
  };
}
