import type { Pool, PoolClient, Query, QueryResult } from 'pg';
import { endsConnection } from './classify';

/** Statements under way on one connection, at most. */
const DEPTH = 128;
/** A connection that has answered nothing for so long, ms, gets no more while another can be had. */
const STALL_MS = 10;

type Callback = (error: Error | null, result: QueryResult) => void;
/** Makes the query object that reports to `callback`. */
export type QueryFactory = (callback: Callback) => Query;

interface Carrier {
  client: PoolClient;
  inFlight: number;
  lastAnswerAt: number;
  /** Somebody waits for a connection: this one takes nothing more and goes back. */
  draining: boolean;
  /** The server is about to close it. */
  broken: boolean;
}

interface Job {
  create: QueryFactory;
  /** Told how long the server was busy with it, ms. */
  took: (ms: number) => void;
  resolve: (result: QueryResult) => void;
  reject: (error: unknown) => void;
}

/**
 * Single statements share connections: each is sent without waiting for the answers of those before it. Connections come
 * from the pool and go back as soon as they are idle or a transaction waits for one.
 */
export class StatementLane {
  #carriers: Carrier[] = [];
  #waiting: Job[] = [];
  #opening = 0;
  #openingSince = Infinity;

  /** @param isSpent true: the connection must not be used again */
  constructor(
    private readonly pool: Pool,
    private readonly isSpent: (client: PoolClient) => boolean = () => false,
  ) {}

  get inFlight(): number {
    return this.#carriers.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /**
   * Since when an answer, or a connection, has been owed at the longest, on the clock of `performance`; Infinity: nothing is
   * owed.
   */
  get oldestAnswerAt(): number {
    const owed = this.#carriers.filter(({ inFlight }) => inFlight > 0).map(({ lastAnswerAt }) => lastAnswerAt);
    return Math.min(this.#opening > 0 ? this.#openingSince : Infinity, ...owed);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  run(create: QueryFactory, took: (ms: number) => void): Promise<QueryResult> {
    return new Promise((resolve, reject) => {
      const job = { create, took, resolve, reject };
      const carrier = this.#pick();
      if (carrier !== null) {
        this.#send(carrier, job);
        return;
      }
      this.#waiting.push(job);
      if (this.#opening === 0 || this.#waiting.length > this.#opening * DEPTH) void this.#open();
    });
  }

  #pick(): Carrier | null {
    let best: Carrier | null = null;
    for (const carrier of this.#carriers) {
      if (!carrier.draining && (best === null || carrier.inFlight < best.inFlight)) best = carrier;
    }
    if (best === null || best.inFlight === 0) return best;
    const held = best.inFlight >= DEPTH || performance.now() - best.lastAnswerAt > STALL_MS;
    const { totalCount, idleCount, options } = this.pool;
    const canGrow = this.#opening === 0 && (idleCount > 0 || totalCount < options.max);
    return held && (canGrow || this.#opening > 0) ? null : best;
  }

  async #open(): Promise<void> {
    if (this.#opening++ === 0) this.#openingSince = performance.now();
    let client: PoolClient;
    try {
      client = await this.pool.connect();
    } catch (error) {
      this.#opening--;
      // Without another connection on its way, nobody else would ever serve them.
      if (this.#opening === 0) for (const job of this.#waiting.splice(0)) job.reject(error);
      return;
    }
    this.#opening--;
    const carrier = { client, inFlight: 0, lastAnswerAt: performance.now(), draining: false, broken: false };
    this.#carriers.push(carrier);
    for (const job of this.#waiting.splice(0, DEPTH)) this.#send(carrier, job);
    if (this.#waiting.length > 0 && this.#opening === 0) void this.#open();
    if (carrier.inFlight === 0) this.#release(carrier);
  }

  #send(carrier: Carrier, { create, took, resolve, reject }: Job): void {
    const sentAt = performance.now();
    if (carrier.inFlight === 0) carrier.lastAnswerAt = sentAt;
    let settled = false;
    const done: Callback = (error, result) => {
      if (settled) return;
      settled = true;
      carrier.inFlight--;
      const now = performance.now();
      // It was begun when the one before it was done.
      took(now - Math.max(sentAt, carrier.lastAnswerAt));
      carrier.lastAnswerAt = now;
      if (this.pool.waitingCount > 0) carrier.draining = true;
      if (error && endsConnection(error)) carrier.broken = carrier.draining = true;
      if (carrier.inFlight === 0) this.#idle(carrier);
      if (error) reject(error);
      else resolve(result);
    };
    let query: Query;
    try {
      query = create(done);
    } catch (error) {
      reject(error);
      return;
    }
    carrier.inFlight++;
    carrier.client.query(query);
  }

  /** Callers mostly come again at once: the connection is kept for the rest of this turn. */
  #idle(carrier: Carrier): void {
    if (carrier.draining) this.#release(carrier);
    else setImmediate(() => carrier.inFlight === 0 && this.#release(carrier));
  }

  #release(carrier: Carrier): void {
    const index = this.#carriers.indexOf(carrier);
    if (index === -1) return;
    this.#carriers.splice(index, 1);
    carrier.client.release(carrier.broken || this.isSpent(carrier.client));
  }
}
