import type { HealthCheck, HealthScope, Reading } from '../check';

/** As much of a client as is used. */
export interface PostgresConnection {
  query(text: string): Promise<{ rows: { standby: boolean; read_only: boolean }[] }>;
  /** Also ends a statement that is not answered. */
  end(): Promise<void>;
}

export interface PostgresCheckOptions {
  shard: number;
  /** Opens a connection; gives up after `timeoutMs`. */
  connect: (timeoutMs: number) => Promise<PostgresConnection>;
  timeoutMs: number;
}

const LOOK = `
  SELECT pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') = 'on' AS read_only`;

/** Does a database shard take a new connection, answer, and take writes? Old connections outlive a server that is stuck. */
export class PostgresCheck implements HealthCheck {
  readonly name = 'postgres';
  readonly scope: HealthScope;

  constructor(private readonly options: PostgresCheckOptions) {
    this.scope = { kind: 'database-shard', id: options.shard };
  }

  async look(signal: AbortSignal): Promise<Reading[]> {
    const connection = await this.options.connect(this.options.timeoutMs);
    const close = (): void => void connection.end().catch(() => undefined);
    signal.addEventListener('abort', close, { once: true });
    try {
      signal.throwIfAborted();
      const { rows } = await connection.query(LOOK);
      const [row] = rows;
      if (row?.standby === true) return [this.#reading(false, 'answers, but is a standby: it takes no writes')];
      if (row?.read_only === true) return [this.#reading(false, 'answers, but is read-only: it takes no writes')];
      return [this.#reading(true, 'answers')];
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }

  #reading(ok: boolean, message: string): Reading {
    return { scope: this.scope, ok, message };
  }
}
