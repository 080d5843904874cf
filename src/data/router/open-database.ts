import { readFile } from 'node:fs/promises';
import type { Placement } from '../placement/bucket-map';
import { readPlacement, restorePlacement, type StoredPlacement } from '../placement/catalogue';
import { ShardPool } from '../pool/shard-pool';
import type { DataSettings } from '../settings';
import { Database } from './database';
import { Placements } from './placements';

/**
 * The database shards as one process uses them. Connects when first asked something.
 * @param owner who asks, as the servers see it
 * @param onCircuit told when a shard is left alone because it does not answer (why), and when it is used again (null)
 */
export function openDatabase(
  settings: Omit<DataSettings, 'redis' | 'cache' | 'defer'>,
  owner: string,
  onCircuit?: (shard: number, reason: string | null) => void,
): Database {
  const { databaseUrls, pool, tls, placementFile } = settings;
  const pools = databaseUrls.map(
    (url, shard) => new ShardPool({ ...pool, shard, url, ssl: tls, applicationName: `botctl ${owner}`, onCircuit }),
  );
  const [catalogue] = pools;
  if (catalogue === undefined) throw new Error('there are no database shards');
  return new Database(
    pools,
    new Placements({
      read: () => readPlacement({ query: (text, values = []) => catalogue.query(null, text, values) }),
      readKept: () => readKept(placementFile),
    }),
  );
}

async function readKept(file: string): Promise<Placement | null> {
  try {
    return restorePlacement(JSON.parse(await readFile(file, 'utf8')) as StoredPlacement);
  } catch {
    return null; // none was kept, or it cannot be read: as good as none
  }
}
