import type { ConnectionOptions } from 'node:tls';
import type { PoolShare } from './pool/budget';
import type { PoolSettings } from './pool/shard-pool';
import type { RedisSource } from './redis';

/** What a process of the bot is told about its databases, as JSON. It holds passwords. */
export interface DataSettings {
  /** Name of the bot: keeps its keys in Redis apart from others'. */
  name: string;
  /** One per database shard; empty: no database. */
  databaseUrls: string[];
  tls?: ConnectionOptions;
  pool: PoolSettings & { share: PoolShare };
  redis: RedisSource | null;
  cache: { maxEntries: number; maxBytes: number };
  defer: { dir: string; maxEntries: number; maxBytes: number };
  /** The placement as the supervisor last saw it, for the time when the catalogue is down. */
  placementFile: string;
}

/** Environment variable with the settings. */
export const DATA_SETTINGS = 'BOTCTL_DATA';

/** Whose deferred writes and connections these are: the next process of the cluster is the same owner. */
export function dataOwner(clusterId: number): string {
  return `cluster-${clusterId}`;
}
