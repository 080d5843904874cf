import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { BUCKETS } from '../placement/bucket';
import { initialBuckets } from '../placement/rebalance';
import { Migrator } from './migrator';
import { LOCK_SPACE } from './lock-space';
import { OWN_MIGRATIONS } from './own';

/** Second key of the lock under which one process prepares a deployment. */
const PREPARE_LOCK = 100_001;

/** The databases of the config are not those of the catalogue; going on could put rows where nobody finds them. */
export class PlacementMismatchError extends Error {
  override readonly name = 'PlacementMismatchError';
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** Opens a connection of its own to a database shard. */
export type Connect = (shard: number) => Promise<Client>;

/**
 * Makes sure that every database shard knows who it is and which buckets it holds, and that the list in the config is in
 * the order of the catalogue. Safe to repeat, to interrupt and to run twice at once.
 * @throws PlacementMismatchError, MigrationError and what pg throws
 */
export async function prepareShards(shards: number, connect: Connect): Promise<void> {
  for (let shard = 0; shard < shards; shard++) {
    await new Migrator('botctl', OWN_MIGRATIONS, () => connect(shard)).up();
  }
  const catalogue = await connect(0);
  try {
    await catalogue.query('BEGIN');
    await catalogue.query(`SELECT pg_advisory_xact_lock(${LOCK_SPACE}, ${PREPARE_LOCK})`);
    const found = await readCatalogue(catalogue);
    // Committed on its own: shards that are told their part must find it again after a crash.
    if (found === null) await onOwnConnection(connect, (client) => createPlacement(client, shards));
    const { deployment, registered, buckets } = found ?? (await readOr(catalogue));
    refuseMissing(shards, buckets);
    for (let shard = 0; shard < shards; shard++) {
      const mine = buckets.flatMap((holder, bucket) => (holder === shard ? [bucket] : []));
      await identify({ shard, deployment, registered: registered.has(shard), buckets: mine, connect });
      await catalogue.query('INSERT INTO botctl.placement_shard (shard) VALUES ($1) ON CONFLICT DO NOTHING', [shard]);
    }
    await catalogue.query('COMMIT');
  } finally {
    await catalogue.end().catch(() => undefined);
  }
}

interface Found {
  deployment: string;
  registered: Set<number>;
  /** Shard of each bucket. */
  buckets: number[];
}

async function readCatalogue(client: Client): Promise<Found | null> {
  const { rows } = await client.query<{ deployment: string; registered: number[] | null; buckets: number[] }>(`
    SELECT deployment, (SELECT array_agg(shard) FROM botctl.placement_shard) AS registered,
           (SELECT array_agg(shard ORDER BY bucket) FROM botctl.placement_bucket) AS buckets
      FROM botctl.placement`);
  const row = rows[0];
  return row === undefined ? null : { ...row, registered: new Set(row.registered) };
}

async function readOr(client: Client): Promise<Found> {
  const found = await readCatalogue(client);
  if (found === null) throw new Error('the catalogue has vanished');
  return found;
}

async function createPlacement(client: Client, shards: number): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM botctl.identity');
  if (rowCount !== 0) {
    throw new PlacementMismatchError(
      'The first database of postgres.shards is not the first one of its deployment: it holds no catalogue.',
      'Put postgres.shards back into its old order; new databases go to the end.',
    );
  }
  await client.query('BEGIN');
  await client.query('INSERT INTO botctl.placement (deployment, version) VALUES ($1, 1)', [randomUUID()]);
  await client.query(
    'INSERT INTO botctl.placement_bucket (shard, bucket) SELECT shard, n - 1 FROM unnest($1::int[]) WITH ORDINALITY AS t (shard, n)',
    [initialBuckets(shards)],
  );
  await client.query('COMMIT');
}

async function onOwnConnection(connect: Connect, work: (client: Client) => Promise<void>): Promise<void> {
  const client = await connect(0);
  try {
    await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function refuseMissing(shards: number, buckets: readonly number[]): void {
  const missing = buckets.filter((shard) => shard >= shards);
  if (missing.length === 0) return;
  const named = [...new Set(missing)].sort((a, b) => a - b).join(', ');
  throw new PlacementMismatchError(
    `postgres.shards lists ${shards} databases, but ${missing.length} buckets are on database shard ${named}.`,
    'List that database again; to give it up, move its buckets away first: botctl db rebalance --drain SHARD',
  );
}

async function identify(shard: {
  shard: number;
  deployment: string;
  registered: boolean;
  buckets: number[];
  connect: Connect;
}): Promise<void> {
  const client = await shard.connect(shard.shard);
  try {
    const { rows } = await client.query<{ deployment: string; shard: number }>(
      'SELECT deployment, shard FROM botctl.identity',
    );
    const identity = rows[0];
    if (identity === undefined) await introduce(client, shard);
    else refuseStranger(shard.shard, shard.deployment, identity);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function introduce(
  client: Client,
  {
    shard,
    deployment,
    registered,
    buckets,
  }: { shard: number; deployment: string; registered: boolean; buckets: number[] },
): Promise<void> {
  if (registered) {
    throw new PlacementMismatchError(
      `Database shard ${shard} was in use, but the database at its place in postgres.shards is empty.`,
      'Check the address. If its data is lost, restore a backup into it before the start.',
    );
  }
  await client.query('BEGIN');
  await client.query('INSERT INTO botctl.identity (deployment, shard) VALUES ($1, $2)', [deployment, shard]);
  await client.query(
    `INSERT INTO botctl.bucket (bucket, here)
     SELECT bucket, bucket = ANY ($1::int[]) FROM generate_series(0, ${BUCKETS - 1}) AS bucket`,
    [buckets],
  );
  await client.query('COMMIT');
}

function refuseStranger(shard: number, deployment: string, identity: { deployment: string; shard: number }): void {
  if (identity.deployment !== deployment) {
    throw new PlacementMismatchError(
      `The database at place ${shard} of postgres.shards belongs to another deployment of botctl.`,
      'Check the address; one database serves one bot.',
    );
  }
  if (identity.shard !== shard) {
    throw new PlacementMismatchError(
      `The database at place ${shard} of postgres.shards is database shard ${identity.shard}.`,
      'Put postgres.shards back into its old order; new databases go to the end.',
    );
  }
}
