import type { QueryResult } from 'pg';
import { DataError } from '../data-error';
import type { Pass } from '../pool/fence';
import type { HeldClient, ShardPool } from '../pool/shard-pool';
import type { GuildConnection } from './connection';

/** Runs the attempt on the shard that takes the guild; one that is refused by the ownership check has not begun. */
export type Route = <T>(attempt: (pool: ShardPool, pass: Pass) => Promise<T>) => Promise<T>;

interface Open {
  pool: ShardPool;
  held: HeldClient;
}

/**
 * A transaction on a guild's shard. It begins with its first statement, in one round trip with the ownership check: until
 * then it holds no connection, and a guild that has moved is followed without the caller's noticing.
 */
export class GuildTransaction {
  #opening: Promise<Open> | null = null;
  #shard: number;
  #over = false;

  /** @param shard where the guild is as far as is known; @param begin "BEGIN …" */
  constructor(
    private readonly route: Route,
    private readonly begin: string,
    shard: number,
  ) {
    this.#shard = shard;
  }

  /**
   * Commits when `fn` resolves, else rolls back.
   * @throws what `fn` throws; DataError with `outcomeUnknown` when the connection broke while it was being committed
   */
  async run<T>(fn: (tx: GuildConnection) => Promise<T>): Promise<T> {
    const result = await this.#perform(fn);
    if (this.#opening === null) return result; // nothing was asked
    const { pool, held } = await this.#opening;
    try {
      const { command } = await pool.queryOn(held.client, null, 'COMMIT', []);
      if (command !== 'COMMIT') throw this.#aborted();
      return result;
    } finally {
      held.release();
    }
  }

  async #perform<T>(fn: (tx: GuildConnection) => Promise<T>): Promise<T> {
    const shard = (): number => this.#shard;
    const query = (text: string, values: readonly unknown[] = []): Promise<QueryResult> => this.#query(text, values);
    try {
      const result = await fn({
        get shard() {
          return shard();
        },
        query: query as GuildConnection['query'],
      });
      this.#over = true;
      await this.#opening?.catch((error: unknown) => {
        throw this.#aborted(error);
      });
      return result;
    } catch (error) {
      this.#over = true;
      await this.#rollBack();
      throw certain(error);
    }
  }

  async #query(text: string, values: readonly unknown[]): Promise<QueryResult> {
    if (this.#over) {
      const message = 'this connection was lent until the function that got it had settled';
      throw new DataError('CLOSED', message, { shard: this.#shard });
    }
    if (this.#opening === null) return this.#first(text, values);
    const { pool, held } = await this.#opening.catch((error: unknown) => {
      throw this.#aborted(error);
    });
    return pool.queryOn(held.client, null, text, values);
  }

  async #first(text: string, values: readonly unknown[]): Promise<QueryResult> {
    const begun = this.route(async (pool, pass) => {
      const held = await pool.hold();
      try {
        const result = await pool.begin(held.client, pass, this.begin, { text, values });
        return { pool, held, result };
      } catch (error) {
        await held.client.query('ROLLBACK').catch(() => undefined); // a broken connection has done so
        held.release();
        throw error;
      }
    });
    this.#opening = begun;
    this.#opening.catch(() => undefined); // told by the statement
    const { pool, result } = await begun;
    this.#shard = pool.shard;
    return result;
  }

  async #rollBack(): Promise<void> {
    const open = await this.#opening?.catch(() => null);
    if (open === undefined || open === null) return;
    await open.held.client.query('ROLLBACK').catch(() => undefined); // a broken connection has done so
    open.held.release();
  }

  #aborted(cause?: unknown): DataError {
    const message = `database shard ${this.#shard}: a statement of the transaction had failed, so nothing of it took effect`;
    return new DataError('TRANSACTION_ABORTED', message, { shard: this.#shard, ...(cause !== undefined && { cause }) });
  }
}

/** Before COMMIT is sent, a broken connection leaves no doubt: nothing took effect. */
function certain(error: unknown): unknown {
  if (!(error instanceof DataError) || !error.outcomeUnknown) return error;
  const { code, message, cause, shard } = error;
  return new DataError(code, message, { cause, ...(shard !== null && { shard }) });
}
