import type { Client, QueryResult, QueryResultRow } from 'pg';

/** Text forms that do not depend on how server and role are set up: rows are compared by them. */
const TEXT_FORMS = `SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'`;

export interface TransactionSettings {
  /** All statements see the rows of one moment. */
  snapshot?: boolean;
  /** No trigger, rule or foreign key of the table acts on what is written: the rows have been through them already. */
  replica?: boolean;
  /** ms */
  lockTimeout?: number;
  /** ms; 0: none */
  statementTimeout?: number;
  /** The server ends the transaction when we are silent for so long, ms; 0: never. */
  idleTimeout?: number;
}

/** A connection of the mover to one database shard. */
export class Session {
  constructor(
    readonly shard: number,
    readonly client: Client,
  ) {
    client.on('error', () => undefined); // told by the rejected query
  }

  query<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<QueryResult<R>> {
    return this.client.query<R>(text, values);
  }

  async one<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<R | undefined> {
    return (await this.client.query<R>(text, values)).rows[0];
  }

  async begin({
    snapshot,
    replica,
    lockTimeout = 0,
    statementTimeout = 0,
    idleTimeout = 0,
  }: TransactionSettings): Promise<void> {
    await this.client.query(`BEGIN${snapshot === true ? ' ISOLATION LEVEL REPEATABLE READ' : ''}`);
    await this.client.query(
      `${TEXT_FORMS}; SET LOCAL lock_timeout = ${lockTimeout}; SET LOCAL statement_timeout = ${statementTimeout};
       SET LOCAL idle_in_transaction_session_timeout = ${idleTimeout}` +
        (replica === true ? '; SET LOCAL session_replication_role = replica' : ''),
    );
  }

  async commit(): Promise<void> {
    const { command } = await this.client.query('COMMIT');
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back');
  }

  /** Never rejects: a broken connection has rolled back already. */
  async rollback(): Promise<void> {
    await this.client.query('ROLLBACK').catch(() => undefined);
  }

  async transaction<T>(settings: TransactionSettings, work: () => Promise<T>): Promise<T> {
    await this.begin(settings);
    try {
      const result = await work();
      await this.commit();
      return result;
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}
