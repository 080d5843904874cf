import { within } from '../../within';
import type { Incident } from '../types';

/** As much of a pg client as is used. */
export interface LogConnection {
  query(text: string, values: unknown[]): Promise<{ rows: object[] }>;
  end(): Promise<void>;
}

export interface PostgresLogOptions {
  /** Opens a connection to the first database shard. Rejects while it is down. */
  connect: () => Promise<LogConnection>;
  onError: (error: unknown) => void;
  /** Before it is tried again, ms. */
  retryMs?: number;
  /** Whoever asks has his answer within this time, ms. Default 3,000. */
  answerMs?: number;
}

const RETRY_MS = 15_000;
/** People look, and what is known without Postgres is better than nothing. */
const ANSWER_MS = 3_000;
/** Incidents that wait for Postgres; beyond that the oldest wait in the local log alone. */
const MAX_WAITING = 1_000;
const BATCH = 100;

/** A later state of an incident never gives way to an earlier one, whatever order they come in. */
const UPSERT = `
  INSERT INTO botctl.incident (id, type, rule, scope, severity, state, opened_at, resolved_at, updated_at, body)
  SELECT i->>'id', i->>'type', i->>'rule', i->>'scope', i->>'severity', i->>'state',
         to_timestamp((i->>'openedAt')::float8 / 1000), to_timestamp((i->>'resolvedAt')::float8 / 1000),
         to_timestamp((i->>'updatedAt')::float8 / 1000), i
  FROM jsonb_array_elements($1::jsonb) AS i
  ON CONFLICT (id) DO UPDATE SET
    type = excluded.type, rule = excluded.rule, scope = excluded.scope, severity = excluded.severity,
    state = excluded.state, resolved_at = excluded.resolved_at, updated_at = excluded.updated_at, body = excluded.body
  WHERE incident.updated_at <= excluded.updated_at`;

/** All incidents in the first database shard. Nobody waits for it: while it is down, what has changed is kept for later. */
export class PostgresLog {
  readonly #options: PostgresLogOptions;
  readonly #waiting = new Map<string, Incident>();
  #writing: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: PostgresLogOptions) {
    this.#options = options;
  }

  /** Incidents that are not in Postgres yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  save(incident: Incident): void {
    this.#waiting.delete(incident.id);
    this.#waiting.set(incident.id, incident);
    for (const id of this.#waiting.keys()) {
      if (this.#waiting.size <= MAX_WAITING) break;
      this.#waiting.delete(id);
    }
    if (this.#timer === null) void this.#flush();
  }

  /** Those of the past, the latest first. @throws Error of the server, or that it does not answer */
  async list(query: { since: number; limit: number }): Promise<Incident[]> {
    return this.#ask(async (connection) => {
      const { rows } = await connection.query(
        `SELECT body FROM botctl.incident
         WHERE opened_at >= to_timestamp($1::float8 / 1000) OR resolved_at IS NULL
         ORDER BY opened_at DESC LIMIT $2`,
        [query.since, query.limit],
      );
      return rows.map(bodyOf);
    });
  }

  /** By the id or its end. @throws Error of the server, or that it does not answer */
  async get(id: string): Promise<Incident | null> {
    return this.#ask(async (connection) => {
      const { rows } = await connection.query(
        `SELECT body FROM botctl.incident WHERE id = $1 OR right(id, length($1) + 1) = '-' || $1
         ORDER BY opened_at DESC LIMIT 1`,
        [id],
      );
      return rows[0] === undefined ? null : bodyOf(rows[0]);
    });
  }

  /** What waits is given one more chance. */
  async stop(): Promise<void> {
    this.#cancelRetry();
    await this.#flush();
    this.#stopped = true;
    this.#cancelRetry();
  }

  #cancelRetry(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #flush(): Promise<void> {
    if (this.#stopped) return;
    this.#writing ??= this.#write().finally(() => (this.#writing = null));
    await this.#writing;
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // everything of this turn goes together
    try {
      while (this.#waiting.size > 0) {
        const batch = [...this.#waiting.values()].slice(0, BATCH);
        await this.#with((connection) => connection.query(UPSERT, [JSON.stringify(batch)]));
        for (const incident of batch) {
          if (this.#waiting.get(incident.id) === incident) this.#waiting.delete(incident.id);
        }
      }
    } catch (error) {
      this.#options.onError(error);
      this.#timer = setTimeout(() => {
        this.#timer = null;
        void this.#flush();
      }, this.#options.retryMs ?? RETRY_MS).unref();
    }
  }

  /** A server that hangs is as bad as one that is down. */
  #ask<T>(work: (connection: LogConnection) => Promise<T>): Promise<T> {
    const { answerMs = ANSWER_MS } = this.#options;
    return within(answerMs, this.#with(work), `no answer within ${answerMs} ms`);
  }

  async #with<T>(work: (connection: LogConnection) => Promise<T>): Promise<T> {
    const connection = await this.#options.connect();
    try {
      return await work(connection);
    } finally {
      await connection.end().catch(() => undefined);
    }
  }
}

function bodyOf(row: object): Incident {
  return (row as { body: Incident }).body;
}
