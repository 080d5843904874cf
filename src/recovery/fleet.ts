import type { Scope } from '../incidents';

/** What recovery sees of the clusters. */
export interface Fleet {
  clusters: readonly FleetCluster[];
}

export interface FleetCluster {
  id: number;
  /** As in `status`. */
  state: string;
  shards: readonly { id: number; ready: boolean }[];
  /** Callers that wait for a database connection, by its last sample. */
  waiting: number;
}

/** The clusters that a scope is about; all of them for what concerns the whole bot. */
export function clustersOf(scope: Scope, fleet: Fleet): readonly FleetCluster[] {
  const [kind, id] = scope.split(':');
  if (kind === 'cluster') return fleet.clusters.filter((cluster) => cluster.id === Number(id));
  if (kind === 'shard') return fleet.clusters.filter(({ shards }) => shards.some((shard) => shard.id === Number(id)));
  return fleet.clusters;
}

/** The shards that a step of this reach puts out of service. */
export function shardsTouched(touches: 'nothing' | 'shard' | 'cluster', scope: Scope, fleet: Fleet): number[] {
  if (touches === 'nothing') return [];
  const shard = shardOf(scope);
  if (touches === 'shard' && shard !== null) return [shard];
  return clustersOf(scope, fleet).flatMap(({ shards }) => shards.map(({ id }) => id));
}

/** Number of the shard that a scope is about, or null. */
export function shardOf(scope: Scope): number | null {
  return numberOf('shard', scope);
}

/** Number of the database shard that a scope is about; null: all of them. */
export function databaseOf(scope: Scope): number | null {
  return numberOf('db', scope);
}

function numberOf(kind: string, scope: Scope): number | null {
  const [name, id] = scope.split(':');
  return name === kind && id !== undefined ? Number(id) : null;
}
