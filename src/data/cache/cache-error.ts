/** What went wrong, for programs. */
export type CacheErrorCode =
  | 'LOAD_TIMEOUT' // the loader took longer than its limit
  | 'LOAD_FAILED_ELSEWHERE' // the load that this process waited for failed in another process
  | 'NOT_LOADABLE' // neither a loader nor a store, and the durable level cannot be read
  | 'REFRESH_FAILED' // a refresh in the background failed; the stale value is served meanwhile
  | 'L2_UNAVAILABLE' // Redis is left alone until it answers again
  | 'L2_COMMAND' // Redis refused one command
  | 'L3_UNAVAILABLE' // the durable level failed; the loader is asked instead
  | 'VALUE_NOT_SERIALISABLE' // the value stays in this process alone
  | 'BUS' // invalidations of other processes are not heard until it is back
  | 'CLOSED';

/** An error of the cache itself; what a loader throws comes through as it is. */
export class CacheError extends Error {
  override readonly name = 'CacheError';

  constructor(
    readonly code: CacheErrorCode,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }
}

/** Receives what the cache survived by itself. Must not throw. */
export type ReportError = (error: CacheError) => void;

/** One line about something thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
