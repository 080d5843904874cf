import { type Placement } from './bucket-map';

export interface Rows {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

const READ = `
SELECT p.version::int AS version,
       (SELECT array_agg(b.shard ORDER BY b.bucket) FROM botctl.placement_bucket b) AS buckets,
       (SELECT json_object_agg(n.guild_id::text, n.shard) FROM botctl.placement_pin n) AS pins
  FROM botctl.placement p`;

/** The placement is not there yet: the supervisor has not prepared this database. */
export class NotPreparedError extends Error {
  override readonly name = 'NotPreparedError';
}

/**
 * Reads the whole placement, in one statement so that it is of one version.
 * @throws NotPreparedError
 */
export async function readPlacement(catalogue: Rows): Promise<Placement> {
  const { rows } = await catalogue.query(READ).catch((error: unknown) => {
    const state = (error as { code?: unknown }).code;
    if (state === '42P01' || state === '3F000')
      throw new NotPreparedError('the catalogue is not prepared', { cause: error });
    throw error;
  });
  const row = rows[0] as { version: number; buckets: number[] | null; pins: Record<string, number> | null } | undefined;
  if (row?.buckets == null) throw new NotPreparedError('the catalogue is not prepared');
  const pins = Object.entries(row.pins ?? {}).map(([guild, shard]): [bigint, number] => [BigInt(guild), shard]);
  return { version: row.version, buckets: row.buckets, pins: new Map(pins) };
}

export interface StoredPlacement {
  version: number;
  buckets: number[];
  pins: [string, number][];
}

/** As it is kept in a file, for the time when the catalogue is down. A stale one does no harm: shards refuse. */
export function storePlacement({ version, buckets, pins }: Placement): StoredPlacement {
  return { version, buckets: [...buckets], pins: [...pins].map(([guild, shard]) => [guild.toString(), shard]) };
}

export function restorePlacement({ version, buckets, pins }: StoredPlacement): Placement {
  return { version, buckets, pins: new Map(pins.map(([guild, shard]) => [BigInt(guild), shard])) };
}
