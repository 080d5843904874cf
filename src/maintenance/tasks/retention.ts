import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { isLockTimeout, patiently } from '../session';
import { eachShard, type MaintenanceTask, type TaskContext } from '../task';
import { type AgeType, cutoffFor } from './retention-cutoff';
import { deleteGrant, maintainGrant, tableName } from './tables';

/** Rows of `table` older than `keepMs` are deleted. */
export interface RetentionRule {
  /** `table` or `schema.table`. */
  table: string;
  column: string;
  keepMs: number;
  /** How to read whole numbers; null: by the type of the column. */
  unit: 'seconds' | 'milliseconds' | 'snowflake' | null;
  /** Of a `timestamp` or `date`. */
  zone: string;
}

export interface RetentionSettings {
  rules: readonly RetentionRule[];
  /** With more running statements than this, or any that waits for a lock, deleting pauses. */
  pauseAbove: number;
}

interface Target {
  id: number;
  schema: string;
  name: string;
  owner: string;
  kind: 'r' | 'p';
  type: AgeType;
  permitted: boolean;
  owned: boolean;
}

/** A batch should take so long; then the application has as long for itself, ms. */
const BATCH_MS = 200;
const FIRST_BATCH = 500;
const MOST_ROWS = 20_000;
const PAUSE_MS = 1_000;
/** Somebody always waits on a busy server: after so long the next batch is done all the same, ms. */
const MOST_PAUSE_MS = 30_000;
const BATCH_TIMEOUT_MS = 10_000;

/** Deletes what is older than its period: in small batches that let the application go first, or whole partitions. */
export class RetentionTask implements MaintenanceTask {
  readonly name = 'retention';

  constructor(private readonly settings: RetentionSettings) {}

  async run(context: TaskContext): Promise<void> {
    if (this.settings.rules.length === 0) return;
    await eachShard(context, 'retention', async (client, shard) => {
      for (const rule of this.settings.rules) await this.#apply(context, client, shard, rule);
    });
  }

  async #apply(context: TaskContext, client: Client, shard: number, rule: RetentionRule): Promise<void> {
    const plan = { shard, object: rule.table, action: `delete rows older than ${days(rule.keepMs)}` };
    const target = await findTarget(client, rule);
    if (typeof target === 'string') {
      context.report(plan, 'failed', target);
      return;
    }
    if (!target.permitted) {
      context.report(plan, 'denied', `Allow it with: ${await deleteGrant(client, target)}`);
      return;
    }
    const cutoff = cutoffFor(target.type, context.now(), rule.keepMs, rule.zone);
    if (target.kind === 'p') await this.#dropPartitions(context, client, shard, rule, target, cutoff);
    const before = await countOld(client, target, rule.column, cutoff);
    if (before === 0) return;
    await context.step({ ...plan, before: { oldRows: before } }, async (tell) => {
      const deleted = await this.#deleteAll(context, client, target, rule.column, cutoff, (count) =>
        tell(`${count.toLocaleString('en')} of ${before.toLocaleString('en')} rows`),
      );
      return { deleted, oldRows: await countOld(client, target, rule.column, cutoff) };
    });
  }

  async #deleteAll(
    context: TaskContext,
    client: Client,
    target: Target,
    column: string,
    cutoff: string,
    tell: (count: number) => void,
  ): Promise<number> {
    let total = 0;
    await client.query(`SET statement_timeout = ${BATCH_TIMEOUT_MS}`);
    try {
      for (const leaf of await leavesOf(client, target)) {
        const text = batchSql(client, leaf, column, target.type);
        for (let size = FIRST_BATCH; ;) {
          await context.checkpoint();
          await this.#giveWay(context, client);
          const begin = performance.now();
          const count = await patiently(() => deleteBatch(client, text, cutoff, size), context.signal);
          const ms = performance.now() - begin;
          total += count;
          tell(total);
          if (count === 0) break;
          size = nextSize(size, ms);
          await delay(ms, undefined, { signal: context.signal });
        }
      }
    } finally {
      await client.query('SET statement_timeout = 0').catch(() => undefined);
    }
    return total;
  }

  /** Waits while the application is held up or very busy. */
  async #giveWay(context: TaskContext, client: Client): Promise<void> {
    const until = performance.now() + MOST_PAUSE_MS;
    while (performance.now() < until) {
      const { rows } = await client.query<{ active: number; waiting: number }>(
        `SELECT count(*) FILTER (WHERE state = 'active')::int AS active,
                count(*) FILTER (WHERE wait_event_type = 'Lock')::int AS waiting
           FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND backend_type = 'client backend'`,
      );
      const { active = 0, waiting = 0 } = rows[0] ?? {};
      if (waiting === 0 && active <= this.settings.pauseAbove) return;
      await delay(PAUSE_MS, undefined, { signal: context.signal });
    }
  }

  async #dropPartitions(
    context: TaskContext,
    client: Client,
    shard: number,
    rule: RetentionRule,
    target: Target,
    cutoff: string,
  ): Promise<void> {
    for (const partition of await oldPartitions(client, target, rule.column, cutoff)) {
      const object = `${partition.schema}.${partition.name}`;
      const plan = { shard, object, action: 'drop a partition that is over', before: { bytes: partition.bytes } };
      if (!target.owned) {
        context.report(plan, 'denied', `Allow it with: ${await maintainGrant(client, target)}`);
        continue;
      }
      await context.step(plan, async () => {
        const [parent, child] = [tableName(client, target), tableName(client, partition)];
        // Readers and writers of the other partitions wait for neither of the two. What was begun, by a run that was killed
        // or up to a lock that was not free, can only be finished.
        await patiently(async () => {
          const detach = (await isPending(client, child)) ? 'FINALIZE' : 'CONCURRENTLY';
          await client.query(`ALTER TABLE ${parent} DETACH PARTITION ${child} ${detach}`);
        }, context.signal);
        await patiently(() => client.query(`DROP TABLE ${child}`), context.signal);
        return { bytes: 0 };
      });
    }
  }
}

/** So that the next batch takes about as long as it should. Pure. */
export function nextSize(size: number, ms: number): number {
  const factor = Math.min(2, Math.max(0.25, BATCH_MS / Math.max(1, ms)));
  return Math.max(1, Math.min(MOST_ROWS, Math.round(size * factor)));
}

const PARAMETER: Record<AgeType, string> = {
  timestamptz: '$1::timestamptz',
  timestamp: '$1::timestamp',
  date: '$1::date',
  seconds: '$1::bigint',
  milliseconds: '$1::bigint',
  snowflake: '$1::bigint',
};

/** Rows that the application has locked are left for the next time. */
function batchSql(client: Client, leaf: { schema: string; name: string }, column: string, type: AgeType): string {
  const table = tableName(client, leaf);
  const old = `${client.escapeIdentifier(column)} < ${PARAMETER[type]}`;
  return `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ${table} WHERE ${old} LIMIT $2 FOR UPDATE SKIP LOCKED)) AND ${old}`;
}

async function deleteBatch(client: Client, text: string, cutoff: string, size: number): Promise<number> {
  try {
    return (await client.query(text, [cutoff, size])).rowCount ?? 0;
  } catch (error) {
    if (isLockTimeout(error)) await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function countOld(client: Client, target: Target, column: string, cutoff: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(*) FROM ${tableName(client, target)} WHERE ${client.escapeIdentifier(column)} < ${PARAMETER[target.type]}`,
    [cutoff],
  );
  return Number(rows[0]?.count ?? 0);
}

/** The table and its column, or what is wrong with them. */
async function findTarget(client: Client, rule: RetentionRule): Promise<Target | string> {
  const { rows } = await client.query<{
    id: number;
    schema: string;
    name: string;
    owner: string;
    kind: string;
    type: string | null;
    permitted: boolean;
    owned: boolean;
  }>(
    `SELECT c.oid::int8::int AS id, n.nspname AS schema, c.relname AS name, r.rolname AS owner, c.relkind AS kind,
            t.typname AS type, pg_has_role(c.relowner, 'USAGE') AS owned,
            has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'DELETE')
              AND has_table_privilege(c.oid, 'UPDATE') AS permitted
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
       LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_type t ON t.oid = a.atttypid
      WHERE c.oid = to_regclass($1)`,
    [quoted(client, rule.table), rule.column],
  );
  const [found] = rows;
  if (found === undefined) return `There is no table ${rule.table}. See maintenance.retention.`;
  if (found.kind !== 'r' && found.kind !== 'p') return `${rule.table} is not a table.`;
  if (found.type === null) return `Table ${rule.table} has no column ${rule.column}. See maintenance.retention.`;
  const type = ageType(found.type, rule.unit);
  if (type === null) {
    return (
      `Column ${rule.column} of ${rule.table} is of type ${found.type}, which does not tell the age of a row. ` +
      'Name a timestamp or date, or say in `unit` what its whole numbers are.'
    );
  }
  return { ...found, kind: found.kind, type };
}

/** `table` or `schema.table`, as they are written in the config. */
function quoted(client: Client, table: string): string {
  return table
    .split('.')
    .map((part) => client.escapeIdentifier(part))
    .join('.');
}

/** null: the column does not tell the age of a row. Pure. */
export function ageType(type: string, unit: RetentionRule['unit']): AgeType | null {
  switch (type) {
    case 'timestamptz':
    case 'timestamp':
    case 'date':
      return type;
    case 'int8':
    case 'int4':
    case 'numeric':
      return unit;
    default:
      return null;
  }
}

/** The tables in which the rows are. */
async function leavesOf(client: Client, target: Target): Promise<{ schema: string; name: string }[]> {
  if (target.kind === 'r') return [target];
  const { rows } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_partition_tree($1::oid::regclass) p
       JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.isleaf AND c.relkind = 'r'`,
    [target.id],
  );
  return rows;
}

interface Partition {
  schema: string;
  name: string;
  bytes: number;
}

/** Partitions by ranges of the column alone whose whole range is over. */
async function oldPartitions(client: Client, target: Target, column: string, cutoff: string): Promise<Partition[]> {
  const { rows } = await client.query<{ schema: string; name: string; bytes: string; bound: string }>(
    `SELECT n.nspname AS schema, c.relname AS name, pg_total_relation_size(c.oid) AS bytes,
            pg_get_expr(c.relpartbound, c.oid) AS bound
       FROM pg_partitioned_table p JOIN pg_inherits i ON i.inhparent = p.partrelid JOIN pg_class c ON c.oid = i.inhrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
      WHERE p.partrelid = $1::oid AND p.partstrat = 'r' AND p.partnatts = 1 AND a.attname = $2 AND c.relkind = 'r'
      ORDER BY c.relname`,
    [target.id, column],
  );
  const old: Partition[] = [];
  for (const { bound, bytes, ...partition } of rows) {
    const end = /TO \('([^']*)'\)$/.exec(bound)?.[1];
    if (end === undefined) continue; // up to MAXVALUE, or the default partition
    const parameter = PARAMETER[target.type];
    const look = await client.query<{ over: boolean }>(
      `SELECT ${parameter} >= ${parameter.replace('$1', '$2')} AS over`,
      [cutoff, end],
    );
    if (look.rows[0]?.over === true) old.push({ ...partition, bytes: Number(bytes) });
  }
  return old;
}

/** Was detaching the partition begun and not ended? */
async function isPending(client: Client, child: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM pg_inherits WHERE inhrelid = to_regclass($1) AND inhdetachpending',
    [child],
  );
  return rowCount !== 0;
}

function days(ms: number): string {
  const whole = ms / 86_400_000;
  return Number.isInteger(whole) ? `${whole} days` : `${Math.round(ms / 3_600_000)} hours`;
}
