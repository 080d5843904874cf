import { types } from 'node:util';
import { DataError, type DataErrorCode } from '../data-error';

/** SQLSTATE of the ownership check, see schema/own.ts. */
export const NOT_HERE = 'BC001';

/** By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const BY_STATE: Record<string, DataErrorCode> = {
  '25P02': 'TRANSACTION_ABORTED',
  '40001': 'CONFLICT',
  '40P01': 'CONFLICT',
  '53100': 'DISK_FULL',
  '53300': 'TOO_MANY_CONNECTIONS',
  '55P03': 'STATEMENT_TIMEOUT', // lock_timeout
  '57014': 'STATEMENT_TIMEOUT', // statement_timeout, or cancelled by hand
  '57P01': 'UNAVAILABLE', // admin_shutdown
  '57P02': 'UNAVAILABLE', // crash_shutdown
  '57P03': 'UNAVAILABLE', // cannot_connect_now
  '3D000': 'UNAVAILABLE', // the database does not exist
  '25P03': 'UNAVAILABLE', // idle_in_transaction_session_timeout
  '57P05': 'UNAVAILABLE', // idle_session_timeout
};

const BY_CLASS: Record<string, DataErrorCode> = { '08': 'UNAVAILABLE', '28': 'AUTHENTICATION', '53': 'UNAVAILABLE' };

/** The server says it refused at the door: the statement was never looked at. */
const NOT_STARTED = new Set(['57P03', '53300', '3D000', '28000', '28P01']);

const SENTENCES: Partial<Record<DataErrorCode, string>> = {
  POOL_TIMEOUT: 'no connection became free in time',
  AUTHENTICATION: 'the server refuses user or password',
  STATEMENT_TIMEOUT: 'a statement took too long and was cancelled',
  CONFLICT: 'the transaction came into conflict with another one; it may be tried again',
  TRANSACTION_ABORTED: 'a statement of this transaction had failed before, so nothing of it takes effect',
  DISK_FULL: 'the disk of the server is full',
  TOO_MANY_CONNECTIONS: 'the server has no connection left',
  UNAVAILABLE: 'the server cannot be reached',
};

/**
 * What an error of `pg` means. What the statement itself is at fault for stays as it is.
 * @param sent false: the statement cannot have reached the server
 */
export function classify(error: unknown, shard: number, sent: boolean): Error {
  // Not instanceof: the error may be of another realm.
  if (!types.isNativeError(error)) return new Error(String(error));
  if (error instanceof DataError) return error;
  const state = stateOf(error);
  const code = codeOf(error, state);
  if (code === null) return error;
  // A server that answers with an error has undone the statement; a broken connection says nothing.
  const answered = 'severity' in error && state !== null && !state.startsWith('08');
  const outcomeUnknown = code === 'UNAVAILABLE' && sent && !answered && !NOT_STARTED.has(state ?? '');
  const why = SENTENCES[code] ?? error.message;
  const message = `database shard ${shard}: ${why} (${messageOf(error)})`;
  return new DataError(code, message, { cause: error, shard, outcomeUnknown });
}

/** Is the statement itself at fault, so that it would fail again? */
export function isStatementsFault(error: unknown): boolean {
  return types.isNativeError(error) && 'severity' in error && codeOf(error, stateOf(error)) === null;
}

/** After this error the server closes the connection, though it may still look open. */
export function endsConnection(error: unknown): boolean {
  const severity = (error as { severity?: unknown } | null)?.severity;
  return severity === 'FATAL' || severity === 'PANIC';
}

function stateOf(error: Error): string | null {
  return 'code' in error && typeof error.code === 'string' ? error.code : null;
}

function codeOf(error: Error, state: string | null): DataErrorCode | null {
  if (state !== null && /^[0-9A-Z]{5}$/.test(state) && 'severity' in error) {
    return BY_STATE[state] ?? BY_CLASS[state.slice(0, 2)] ?? null;
  }
  // pg and pg-pool give these no code.
  if (/timeout exceeded when trying to connect/.test(error.message)) return 'POOL_TIMEOUT';
  if (/after calling end on the pool/.test(error.message)) return 'CLOSED';
  if (/Query read timeout/.test(error.message)) return 'UNAVAILABLE';
  if (/[Cc]onnection terminated|connection error and is not queryable|timeout expired|SSL/.test(error.message)) {
    return 'UNAVAILABLE';
  }
  if (state !== null && /^E[A-Z]+$/.test(state)) return 'UNAVAILABLE'; // of the socket: ECONNREFUSED, EPIPE, …
  if ('errors' in error) return 'UNAVAILABLE'; // of a host with several addresses
  if (/SASL|password/i.test(error.message)) return 'AUTHENTICATION';
  return null;
}

function messageOf(error: Error): string {
  if ('errors' in error && Array.isArray(error.errors)) {
    return (error.errors as Error[]).map(({ message }) => message).join('; ');
  }
  return error.message;
}
