/** What went wrong, for programs. */
export type DataErrorCode =
  | 'INVALID_GUILD_ID'
  | 'POOL_TIMEOUT' // no connection became free in time
  | 'UNAVAILABLE' // the server cannot be reached, or went away
  | 'AUTHENTICATION' // wrong user or password, or no right to connect
  | 'STATEMENT_TIMEOUT' // a statement or a lock took too long and was cancelled
  | 'CONFLICT' // deadlock or serialization failure: the transaction may be tried again
  | 'TRANSACTION_ABORTED' // a statement after one that had failed in the same transaction
  | 'DISK_FULL'
  | 'TOO_MANY_CONNECTIONS'
  | 'GUILD_MOVED' // the guild went to another database shard in the middle of the work
  | 'QUEUE_FULL' // the durable write queue has reached its bound
  | 'CLOSED';

export interface DataErrorOptions {
  cause?: unknown;
  /** Database shard that it happened on. */
  shard?: number;
  /** The connection broke after the statement was sent: it may have taken effect. */
  outcomeUnknown?: boolean;
}

/** An error of the data tier itself; what the SQL is at fault for comes through as pg's own `DatabaseError`. */
export class DataError extends Error {
  override readonly name = 'DataError';
  readonly shard: number | null;
  readonly outcomeUnknown: boolean;

  constructor(
    readonly code: DataErrorCode,
    message: string,
    { cause, shard, outcomeUnknown = false }: DataErrorOptions = {},
  ) {
    super(message, { cause });
    this.shard = shard ?? null;
    this.outcomeUnknown = outcomeUnknown;
  }
}
