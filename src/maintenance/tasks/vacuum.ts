import type { Client } from 'pg';
import type { MaintenanceListener } from '../events';
import { withProgress } from '../progress';
import { eachShard, type Figures, type MaintenanceTask, type TaskContext } from '../task';
import { maintainGrant, tableName } from './tables';

export interface VacuumSettings {
  /** A table is vacuumed from so many dead rows on, if they are also this share of all rows. */
  deadRows: number;
  deadShare: number;
  /** Share of rows changed since the last ANALYZE that calls for the next. */
  changedShare: number;
  /** Share of the way to the forced freezing (autovacuum_freeze_max_age) at which a table is frozen. */
  freezeShare: number;
}

export interface TableFacts {
  schema: string;
  name: string;
  rows: number;
  deadRows: number;
  changedRows: number;
  /** Transactions, and multixacts, since the oldest one that is not frozen. */
  age: number;
  multiAge: number;
  freezeMaxAge: number;
  multiFreezeMaxAge: number;
  bytes: number;
  /** May we? */
  permitted: boolean;
  /** Role that owns it. */
  owner: string;
}

/** Rows whose change alone calls for no ANALYZE. */
const FEW_ROWS = 50;
/** Postgres refuses writes three million transactions before it would wrap around. */
const WRAPAROUND_LIMIT = 2_147_483_647 - 3_000_000;
const WRAPAROUND_WARN = 0.6;

/** What the table needs; null: nothing. Pure. */
export function vacuumNeed(table: TableFacts, settings: VacuumSettings): 'freeze' | 'vacuum' | 'analyze' | null {
  const { age, freezeMaxAge, multiAge, multiFreezeMaxAge } = table;
  if (age >= settings.freezeShare * freezeMaxAge || multiAge >= settings.freezeShare * multiFreezeMaxAge) {
    return 'freeze';
  }
  const all = table.rows + table.deadRows;
  if (table.deadRows >= settings.deadRows && table.deadRows >= settings.deadShare * all) return 'vacuum';
  if (table.changedRows >= FEW_ROWS && table.changedRows >= settings.changedShare * all) return 'analyze';
  return null;
}

/** VACUUM and ANALYZE where dead or changed rows call for it, oldest transactions first. */
export class VacuumTask implements MaintenanceTask {
  readonly name = 'vacuum';

  constructor(
    private readonly settings: VacuumSettings,
    private readonly emit: MaintenanceListener,
  ) {}

  run(context: TaskContext): Promise<void> {
    return eachShard(context, 'vacuum', async (client, shard) => {
      await this.#watchAge(client, shard);
      const tables = await readTables(client);
      const due = tables.flatMap((table) => {
        const need = vacuumNeed(table, this.settings);
        return need === null ? [] : [{ table, need }];
      });
      const rank = { freeze: 0, vacuum: 1, analyze: 2 };
      due.sort((a, b) => rank[a.need] - rank[b.need] || b.table.deadRows - a.table.deadRows);
      for (const { table, need } of due) await this.#vacuum(context, client, shard, table, need);
    });
  }

  async #vacuum(
    context: TaskContext,
    client: Client,
    shard: number,
    table: TableFacts,
    need: 'freeze' | 'vacuum' | 'analyze',
  ): Promise<void> {
    const object = `${table.schema}.${table.name}`;
    const plan = { shard, object, action: need, before: figuresOf(table) };
    if (!table.permitted) {
      const grant = await maintainGrant(client, table);
      context.report(plan, 'denied', `It belongs to ${table.owner}. Allow it with: ${grant}`);
      return;
    }
    await context.step(plan, async (tell) => {
      const sql = tableName(client, table);
      const text =
        need === 'analyze'
          ? `ANALYZE (SKIP_LOCKED) ${sql}`
          : `VACUUM (ANALYZE, SKIP_LOCKED${need === 'freeze' ? ', FREEZE' : ''}) ${sql}`;
      const skipped = await withNotices(client, () =>
        withProgress(
          client,
          () => context.connect(shard),
          tell,
          () => client.query(text),
        ),
      );
      if (skipped) tell('skipped: the table is locked');
      const after = (await readTables(client)).find(
        ({ schema, name }) => schema === table.schema && name === table.name,
      );
      if (after === undefined) return null;
      const held = need !== 'analyze' && after.deadRows > table.deadRows / 2 ? await oldestTransaction(client) : null;
      return {
        ...figuresOf(after),
        ...(skipped && { skipped: 'the table was locked' }),
        ...(held !== null && { heldBy: held }),
      };
    });
  }

  async #watchAge(client: Client, shard: number): Promise<void> {
    const { rows } = await client.query<{ age: number }>(
      `SELECT greatest(age(datfrozenxid), mxid_age(datminmxid)) AS age FROM pg_database WHERE datname = current_database()`,
    );
    const age = rows[0]?.age ?? 0;
    if (age > WRAPAROUND_WARN * WRAPAROUND_LIMIT) {
      this.emit({ type: 'maintenance.wraparound', shard, age, limit: WRAPAROUND_LIMIT });
    }
  }
}

function figuresOf({ deadRows, rows, bytes, age }: TableFacts): Figures {
  return { deadRows, rows, bytes, age };
}

/** SKIP_LOCKED tells by a warning. */
async function withNotices(client: Client, work: () => Promise<unknown>): Promise<boolean> {
  let skipped = false;
  const listen = ({ message }: { message?: string | undefined }): void => {
    skipped ||= /skipping (vacuum|analyze) of/.test(message ?? '');
  };
  client.on('notice', listen);
  try {
    await work();
  } finally {
    client.off('notice', listen);
  }
  return skipped;
}

/** Why dead rows may not go: the oldest transaction that could still see them. */
async function oldestTransaction(client: Client): Promise<string | null> {
  const { rows } = await client.query<{ pid: number; name: string; seconds: number }>(
    `SELECT pid, coalesce(nullif(application_name, ''), usename, '?') AS name,
            extract(epoch FROM now() - xact_start)::int AS seconds
       FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
      ORDER BY age(backend_xmin) DESC LIMIT 1`,
  );
  const [row] = rows;
  return row === undefined ? null : `a transaction of ${row.name} (process ${row.pid}), open for ${row.seconds} s`;
}

/** All tables of the database that are stored: no views, no parents of partitions. */
export async function readTables(client: Client): Promise<TableFacts[]> {
  const { rows } = await client.query<Record<keyof TableFacts, string>>(`
    SELECT n.nspname AS schema, c.relname AS name, r.rolname AS owner,
           coalesce(s.n_live_tup, 0) AS rows, coalesce(s.n_dead_tup, 0) AS "deadRows",
           coalesce(s.n_mod_since_analyze, 0) AS "changedRows",
           age(c.relfrozenxid) AS age, mxid_age(c.relminmxid) AS "multiAge",
           current_setting('autovacuum_freeze_max_age') AS "freezeMaxAge",
           current_setting('autovacuum_multixact_freeze_max_age') AS "multiFreezeMaxAge",
           pg_total_relation_size(c.oid) AS bytes,
           (pg_has_role(c.relowner, 'USAGE') OR CASE WHEN current_setting('server_version_num')::int >= 170000
             THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END) AS permitted
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
      LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
     WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'`);
  return rows.map((row) => ({
    schema: row.schema,
    name: row.name,
    owner: row.owner,
    permitted: (row.permitted as unknown) === true,
    rows: Number(row.rows),
    deadRows: Number(row.deadRows),
    changedRows: Number(row.changedRows),
    age: Number(row.age),
    multiAge: Number(row.multiAge),
    freezeMaxAge: Number(row.freezeMaxAge),
    multiFreezeMaxAge: Number(row.multiFreezeMaxAge),
    bytes: Number(row.bytes),
  }));
}
