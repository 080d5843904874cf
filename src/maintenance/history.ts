import type { Client } from 'pg';
import type { RunOutcome, RunTrigger } from './events';
import type { StepReport } from './task';

export interface RunRecord {
  id: number;
  host: string;
  trigger: RunTrigger;
  startedAt: Date;
  /** null: it runs, or its host died. */
  endedAt: Date | null;
  outcome: RunOutcome | null;
  message: string | null;
}

/** The last step of each task and, of failed ones, of each object. */
export interface StepRecord extends StepReport {
  run: number;
}

const RUN = `id::int AS id, host, trigger, started_at AS "startedAt", ended_at AS "endedAt", outcome, message`;

/** What was done and when, in the catalogue. */
export class History {
  constructor(private readonly connect: () => Promise<Client>) {}

  async begin(host: string, trigger: RunTrigger): Promise<number> {
    return this.#with(async (client) => {
      const { rows } = await client.query<{ id: number }>(
        'INSERT INTO botctl.maintenance_run (host, trigger) VALUES ($1, $2) RETURNING id::int AS id',
        [host, trigger],
      );
      return rows[0]?.id ?? 0;
    });
  }

  async end(run: number, outcome: RunOutcome, message: string | null, steps: readonly StepReport[]): Promise<void> {
    await this.#with(async (client) => {
      const rows = steps.map((step, index) => ({ ...step, nr: index, started_at: step.startedAt }));
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO botctl.maintenance_step (run, nr, task, shard, object, action, outcome, message, before, after, started_at, ms)
         SELECT $1, nr, task, shard, object, action, outcome, message, before, after, started_at, ms
           FROM jsonb_to_recordset($2) AS t (nr int, task text, shard int, object text, action text, outcome text,
                  message text, before jsonb, after jsonb, started_at timestamptz, ms bigint)`,
        [run, JSON.stringify(rows)],
      );
      await client.query(
        'UPDATE botctl.maintenance_run SET ended_at = now(), outcome = $2, message = $3 WHERE id = $1',
        [run, outcome, message],
      );
      await client.query('COMMIT');
    });
  }

  /** Newest first. */
  async runs(limit: number): Promise<RunRecord[]> {
    return this.#with(async (client) => {
      const text = `SELECT ${RUN} FROM botctl.maintenance_run ORDER BY id DESC LIMIT $1`;
      return (await client.query<RunRecord>(text, [limit])).rows;
    });
  }

  /** Begin of the last run that was due by the window, made up or not, and came to its end. */
  async lastInWindow(): Promise<Date | null> {
    return this.#with(async (client) => {
      const { rows } = await client.query<{ at: Date | null }>(
        `SELECT max(started_at) AS at FROM botctl.maintenance_run WHERE trigger IN ('window', 'catch-up')
            AND ended_at IS NOT NULL`,
      );
      return rows[0]?.at ?? null;
    });
  }

  /** Tasks that the last run did not come to the end of, in their order then. */
  async left(): Promise<string[]> {
    return this.#with(async (client) => {
      const { rows } = await client.query<{ task: string }>(
        `SELECT task FROM botctl.maintenance_step WHERE outcome = 'cut'
            AND run = (SELECT max(id) FROM botctl.maintenance_run WHERE trigger <> 'now') ORDER BY nr`,
      );
      return [...new Set(rows.map(({ task }) => task))];
    });
  }

  async steps(run: number): Promise<StepRecord[]> {
    return this.#with(async (client) => {
      const { rows } = await client.query<Omit<StepRecord, 'ms'> & { ms: string }>(
        `SELECT run::int AS run, task, shard, object, action, outcome, message, before, after, started_at AS "startedAt", ms
           FROM botctl.maintenance_step WHERE run = $1 ORDER BY nr`,
        [run],
      );
      return rows.map((row) => ({ ...row, ms: Number(row.ms) }));
    });
  }

  async #with<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
