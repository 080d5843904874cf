import { HOUR_MS, KEPT_HOURS, type HourRow } from './hour';
import { isResource } from './resource';

/** A connection to the database, ended by who asked for it. */
export interface Connection {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  end(): Promise<void>;
}

const BATCH_ROWS = 5_000;
const SETTINGS = `SET statement_timeout = 30000; SET lock_timeout = 2000`;

const WRITE = `
  INSERT INTO botctl.capacity_hour AS known (hour, resource, scope, part, samples, mean, low, high, limit_value)
  SELECT to_timestamp(hour * 3600), resource, scope, part, samples, mean, low, high, "limit"
    FROM jsonb_to_recordset($1) AS row (hour bigint, resource text, scope text, part text, samples int,
         mean float8, low float8, high float8, "limit" float8)
      ON CONFLICT (hour, resource, scope, part) DO UPDATE
     SET samples = excluded.samples, mean = excluded.mean, low = excluded.low, high = excluded.high,
         limit_value = excluded.limit_value
   WHERE known.samples < excluded.samples`;

const READ = `
  SELECT (extract(epoch FROM hour) / 3600)::int AS hour, resource, scope, part, samples, mean, low, high,
         limit_value AS "limit"
    FROM botctl.capacity_hour WHERE hour > $1`;

/** The history in Postgres (schema botctl of the first database). Writing the same again changes nothing. */
export class HistoryTable {
  constructor(private readonly connect: () => Promise<Connection>) {}

  /** @throws DatabaseError, or what connecting throws */
  async read(now: number): Promise<HourRow[]> {
    return this.#connected(async (connection) => {
      const { rows } = await connection.query(READ, [new Date(now - KEPT_HOURS * HOUR_MS)]);
      return (rows as HourRow[]).filter(({ resource }) => isResource(resource)); // a newer version may know more
    });
  }

  /** Writes what was seen, and forgets what is older than 30 days. @throws as `read` */
  async write(rows: readonly HourRow[], now: number): Promise<void> {
    await this.#connected(async (connection) => {
      for (let from = 0; from < rows.length; from += BATCH_ROWS) {
        await connection.query(WRITE, [JSON.stringify(rows.slice(from, from + BATCH_ROWS))]);
      }
      await connection.query('DELETE FROM botctl.capacity_hour WHERE hour <= $1', [
        new Date(now - KEPT_HOURS * HOUR_MS),
      ]);
    });
  }

  async #connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.connect();
    try {
      await connection.query(SETTINGS);
      return await work(connection);
    } finally {
      await connection.end().catch(() => undefined);
    }
  }
}
