import type { ClusterPlan } from '../plan';

/** Clusters that give their shards to others, and to no one else: the least that can be regrouped at a time. */
export interface Regrouping {
  /** Ids of the clusters that end. */
  from: number[];
  /** Those that take their place. */
  to: ClusterPlan[];
}

/**
 * What has to be done so that `old` becomes `fresh`, in an order in which no two clusters have the same id at the same
 * time. Clusters that are the same in both have no part in it. Pure.
 */
export function regroupings(old: readonly ClusterPlan[], fresh: readonly ClusterPlan[]): Regrouping[] {
  const changed = old.filter((cluster) => !fresh.some((other) => isSame(cluster, other)));
  const parts = connected(
    changed,
    fresh.filter((cluster) => !old.some((other) => isSame(cluster, other))),
  );
  const ordered: Regrouping[] = [];
  while (parts.length > 0) {
    const at = parts.findIndex((part) => !parts.some((other) => other !== part && collide(part, other)));
    // None can go first: then all that are left go at once.
    const next = at >= 0 ? parts.splice(at, 1) : parts.splice(0);
    ordered.push({
      from: next.flatMap(({ from }) => from).sort((a, b) => a - b),
      to: next.flatMap(({ to }) => to).sort((a, b) => a.id - b.id),
    });
  }
  return ordered;
}

function connected(old: readonly ClusterPlan[], fresh: readonly ClusterPlan[]): Regrouping[] {
  const parts: (Regrouping & { shards: Set<number> })[] = [];
  const place = (shardIds: readonly number[], from: number[], to: ClusterPlan[]): void => {
    const joined = parts.filter(({ shards }) => shardIds.some((id) => shards.has(id)));
    for (const part of joined) parts.splice(parts.indexOf(part), 1);
    parts.push({
      from: [...joined.flatMap((part) => part.from), ...from],
      to: [...joined.flatMap((part) => part.to), ...to],
      shards: new Set([...joined.flatMap(({ shards }) => [...shards]), ...shardIds]),
    });
  };
  for (const { id, shardIds } of old) place(shardIds, [id], []);
  for (const cluster of fresh) place(cluster.shardIds, [], [cluster]);
  return parts.map(({ from, to }) => ({ from, to }));
}

/** The one would make a cluster of an id that is still taken by the other. */
function collide({ to }: Regrouping, { from }: Regrouping): boolean {
  return to.some(({ id }) => from.includes(id));
}

function isSame(a: ClusterPlan, b: ClusterPlan): boolean {
  return a.id === b.id && a.shardIds.join() === b.shardIds.join();
}
