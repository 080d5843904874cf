/** What a finding is about, in the words of the rest of botctl. */
export type HealthScope =
  { kind: 'bot' | 'host' | 'redis' } | { kind: 'cluster' | 'shard' | 'database-shard'; id: number };

/** What a check has found about one scope. */
export interface Reading {
  /** Absent: the name of the check that read it. */
  check?: string;
  scope: HealthScope;
  /** null: cannot be told at the moment, which changes nothing. */
  ok: boolean | null;
  /** One sentence without its full stop: the figures, or what is wrong. */
  message: string;
}

/** Something that is looked at in each round. */
export interface HealthCheck {
  /** Checks may share a name when their scopes differ. */
  readonly name: string;
  /** What is charged when the check itself fails or hangs. */
  readonly scope: HealthScope;
  /**
   * One look; what it throws is the reason of a failure. A scope that is no longer in the answer is forgotten.
   * @param signal aborts when the time is over: connections and processes must be gone soon after
   */
  look(signal: AbortSignal): Reading[] | Promise<Reading[]>;
}

/** `shard 3`, `database shard 0`, `redis`. */
export function scopeName(scope: HealthScope): string {
  return 'id' in scope ? `${scope.kind.replace('-', ' ')} ${scope.id}` : scope.kind;
}

/** What went wrong, in one line. By shape, not by class: errors come from other realms too. */
export function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error);
  const { message, code, name, cause, errors } = error as Partial<NodeJS.ErrnoException & AggregateError>;
  if (Array.isArray(errors) && errors.length > 0) return errors.map(reasonOf).join('; ');
  // `fetch failed` says nothing; its cause does.
  if (message === 'fetch failed' && cause !== undefined) return reasonOf(cause);
  return message || code || name || 'unknown error';
}
