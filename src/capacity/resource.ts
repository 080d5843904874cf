export type ResourceUnit = 'count' | 'bytes' | 'cores';

/** Which value of an hour stands for it. */
export type Figure = 'mean' | 'high';

interface Resource {
  /** As in "guilds per shard (shard 17): 2,050 of 2,500". Of many, the one that is worst off. */
  title: string;
  unit: ResourceUnit;
  figure: Figure;
}

/** What is kept for 30 days. Those that have a limit are looked ahead for; the others only show what the bot was like. */
const RESOURCES = {
  'guilds-per-shard': { title: 'guilds per shard', unit: 'count', figure: 'high' },
  memory: { title: 'memory', unit: 'bytes', figure: 'high' },
  // Between two collections the heap fills up whatever its limit is; the mean tells more than the peak.
  heap: { title: 'heap', unit: 'bytes', figure: 'mean' },
  cpu: { title: 'CPU', unit: 'cores', figure: 'mean' },
  'cluster-cpu': { title: 'CPU of a cluster', unit: 'cores', figure: 'mean' },
  disk: { title: 'disk', unit: 'bytes', figure: 'high' },
  identifies: { title: 'identifies a day', unit: 'count', figure: 'high' },
  'pool-connections': { title: 'pool connections', unit: 'count', figure: 'high' },
  connections: { title: 'server connections', unit: 'count', figure: 'high' },
  'database-size': { title: 'database size', unit: 'bytes', figure: 'high' },
  guilds: { title: 'guilds', unit: 'count', figure: 'high' },
  shards: { title: 'shards', unit: 'count', figure: 'high' },
  clusters: { title: 'clusters', unit: 'count', figure: 'high' },
} as const satisfies Record<string, Resource>;

export type ResourceName = keyof typeof RESOURCES;

export function resourceOf(name: ResourceName): Resource {
  return RESOURCES[name];
}

export function isResource(name: string): name is ResourceName {
  return Object.hasOwn(RESOURCES, name);
}

/** How much of something is in use at the moment. */
export interface Observation {
  resource: ResourceName;
  /** What has the limit: `bot`, `host`, `db:2`, or the address of a server. */
  scope: string;
  value: number;
  /** null: not known, or there is none; then only history is kept. */
  limit: number | null;
  /** Which one it is of many: `shard 17`. */
  detail?: string;
}
