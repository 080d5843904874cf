import type { Client } from 'pg';
import { withProgress } from '../progress';
import { patiently } from '../session';
import { eachShard, type MaintenanceTask, messageOf, SkippedError, type TaskContext } from '../task';
import { maintainGrant } from './tables';
import { estimateBloat, type IndexFacts, readIndexes } from './index-bloat';

export interface ReindexSettings {
  /** Share of an index that is empty or stale from which on it is rebuilt. */
  bloatShare: number;
  /** Smaller ones are not worth it, bytes. */
  minBytes: number;
}

/** What a rebuild that was interrupted leaves behind. */
const LEFTOVER = /_cc(new|old)\d*$/;
/** The rebuild waits for transactions that are older than it; nobody waits for it meanwhile, ms. */
const WAIT_MS = 60_000;
/** An older one would make it wait too long. */
const OLD_TRANSACTION = '10 minutes';
const ATTEMPTS = 3;

/** Rebuilds bloated and invalid indexes without locking their tables, and removes what interrupted rebuilds left. */
export class ReindexTask implements MaintenanceTask {
  readonly name = 'reindex';

  constructor(private readonly settings: ReindexSettings) {}

  run(context: TaskContext): Promise<void> {
    return eachShard(context, 'reindex', async (client, shard) => {
      // Postgres waits for others in the middle of it, without standing in anybody's way.
      await client.query(`SET lock_timeout = ${WAIT_MS}`);
      await this.#clean(context, client, shard);
      for (const index of await readIndexes(client)) {
        if (index.busy) continue;
        if (!index.valid) {
          if (!LEFTOVER.test(index.name))
            await this.#rebuild(context, client, shard, index, 'rebuild an invalid index');
          continue;
        }
        if (index.bytes < this.settings.minBytes) continue;
        const bloat = await estimateBloat(client, index);
        if (bloat === null || bloat < this.settings.bloatShare) continue;
        await this.#rebuild(context, client, shard, index, `rebuild (${Math.round(bloat * 100)} % bloat)`);
      }
    });
  }

  async #clean(context: TaskContext, client: Client, shard: number): Promise<void> {
    for (const index of await readIndexes(client)) {
      if (index.valid || index.busy || !LEFTOVER.test(index.name)) continue;
      await this.#step(context, client, shard, index, 'drop what an interrupted rebuild left', async () => {
        await dropIndex(client, index, context.signal);
        return { bytes: 0 };
      });
    }
  }

  #rebuild(context: TaskContext, client: Client, shard: number, index: IndexFacts, action: string): Promise<void> {
    return this.#step(context, client, shard, index, action, async (tell) => {
      await refuseIfHeld(client);
      await withProgress(
        client,
        () => context.connect(shard),
        tell,
        () => rebuild(client, index, context.signal),
      );
      const after = (await readIndexes(client)).find(
        ({ name, schema }) => name === index.name && schema === index.schema,
      );
      return { bytes: after?.bytes ?? 0, valid: String(after?.valid ?? false) };
    });
  }

  async #step(
    context: TaskContext,
    client: Client,
    shard: number,
    index: IndexFacts,
    action: string,
    work: (tell: (text: string) => void) => Promise<Record<string, number | string>>,
  ): Promise<void> {
    const plan = {
      ...{ shard, action },
      object: `${index.schema}.${index.name}`,
      before: { bytes: index.bytes, valid: String(index.valid) },
    };
    if (!index.permitted) {
      const grant = await maintainGrant(client, { schema: index.schema, name: index.table, owner: index.owner });
      context.report(plan, 'denied', `Its table belongs to ${index.owner}. Allow it with: ${grant}`);
      return;
    }
    await context.step(plan, work);
  }
}

async function rebuild(client: Client, index: IndexFacts, signal: AbortSignal): Promise<void> {
  const sql = indexName(client, index);
  try {
    await patiently(
      async () => {
        try {
          await client.query(`REINDEX INDEX CONCURRENTLY ${sql}`);
        } catch (error) {
          await dropLeftovers(client, index, signal);
          throw error;
        }
      },
      signal,
      ATTEMPTS,
    );
  } catch (error) {
    if ((error as { code?: unknown }).code !== '23505') throw error;
    throw new Error(
      `It is unique, but the rows are not: ${(error as { detail?: string }).detail ?? messageOf(error)} ` +
        'Remove the doubled rows; the index is rebuilt the next time.',
      { cause: error },
    );
  }
}

/** After a rebuild that failed. Also when time is up: the cancelled statement leaves an index that costs every write. */
async function dropLeftovers(client: Client, index: IndexFacts, signal: AbortSignal): Promise<void> {
  const left = (await readIndexes(client)).filter(
    ({ tableId, valid, name }) => tableId === index.tableId && !valid && LEFTOVER.test(name),
  );
  for (const found of left) await dropIndex(client, found, signal).catch(() => undefined); // found again the next time
}

async function dropIndex(client: Client, index: IndexFacts, signal: AbortSignal): Promise<void> {
  await patiently(
    () => client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${indexName(client, index)}`),
    signal,
    ATTEMPTS,
  );
}

async function refuseIfHeld(client: Client): Promise<void> {
  const { rows } = await client.query<{ pid: number; name: string }>(
    `SELECT pid, coalesce(nullif(application_name, ''), usename, '?') AS name FROM pg_stat_activity
      WHERE datname = current_database() AND xact_start < now() - interval '${OLD_TRANSACTION}' AND backend_xmin IS NOT NULL
        AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1`,
  );
  const [row] = rows;
  if (row === undefined) return;
  throw new SkippedError(
    `A transaction of ${row.name} (process ${row.pid}) is open for more than ${OLD_TRANSACTION}; the rebuild would wait for it.`,
  );
}

function indexName(client: Client, { schema, name }: IndexFacts): string {
  return `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(name)}`;
}
