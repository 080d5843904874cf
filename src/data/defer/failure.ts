import { DataError } from '../data-error';
import type { DataErrorCode } from '../data-error';

/**
 * Who is at fault for a failed execution: the statement (it would fail again for ever), its shard (others on it would
 * fail too), only this guild at present, or nobody can tell, so it is tried again but not for ever.
 */
export type Fault = 'statement' | 'shard' | 'guild' | 'unclear';

const OF_DATA_ERROR: Record<DataErrorCode, Fault> = {
  INVALID_GUILD_ID: 'statement',
  TRANSACTION_ABORTED: 'statement',
  POOL_TIMEOUT: 'shard',
  UNAVAILABLE: 'shard',
  AUTHENTICATION: 'shard',
  DISK_FULL: 'shard',
  TOO_MANY_CONNECTIONS: 'shard',
  CLOSED: 'shard',
  CONFLICT: 'guild',
  GUILD_MOVED: 'guild',
  STATEMENT_TIMEOUT: 'unclear',
  QUEUE_FULL: 'unclear',
};

/** By class of the SQLSTATE (PostgreSQL, appendix A); classes that are not here are the statement's own fault. */
const OF_CLASS: Record<string, Fault> = {
  '08': 'shard', // connection
  '28': 'shard', // authorization
  '3D': 'shard', // no such database
  '40': 'guild', // serialization, deadlock
  '53': 'shard', // resources
  '55': 'guild', // object in use, lock not available
  '57': 'shard', // shutdown, starting up
  '58': 'shard', // disk errors
  XX: 'unclear', // internal error
};
const OF_STATE: Record<string, Fault> = {
  '25006': 'shard', // a server that is read-only at present, such as a replica
  '57014': 'unclear', // cancelled: too slow, or by an administrator
};

export function faultOf(error: unknown): Fault {
  if (error instanceof DataError) return OF_DATA_ERROR[error.code];
  const state = sqlState(error);
  if (state === null) return 'unclear';
  return OF_STATE[state] ?? OF_CLASS[state.slice(0, 2)] ?? 'statement';
}

/** Code for people and logs: says nothing of the values. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown';
}

function sqlState(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object) ? code : null;
}
