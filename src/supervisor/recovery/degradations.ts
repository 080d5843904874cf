import type { Degradation } from '../../ipc/remedies';
import type { Master, MasterView } from '../../sharding/master';
import type { Tiers, TierStatus } from '../data/tiers';

export interface DegradationsOptions {
  master: () => Master | null;
  tiers: () => Tiers | null;
  /** Why Discord is held to be out; null: it is not. */
  outage: () => string | null;
}

/** Tells all clusters what does not serve, also what only some of them have met themselves. */
export class Degradations {
  #told = '[]';

  constructor(private readonly options: DegradationsOptions) {}

  round(): void {
    const { master, tiers, outage } = this.options;
    const found = master();
    if (found === null) return;
    const dependencies = findDegradations(found.view(), tiers()?.status ?? null, outage());
    const text = JSON.stringify(dependencies.map(({ name }) => name));
    if (text === this.#told) return;
    this.#told = text;
    for (const cluster of found.clusters) cluster.tellDegraded(dependencies);
  }
}

/** What does not serve: what the supervisor sees itself, and what half of the processes have given up. Pure. */
export function findDegradations(
  { clusters }: Pick<MasterView, 'clusters'>,
  tiers: TierStatus | null,
  outage: string | null,
): Degradation[] {
  const found = new Map<string, string>();
  if (outage !== null) found.set('discord', outage);
  const samples = clusters.flatMap(({ pid, sample }) => (pid === null ? [] : (sample?.data ?? [])));
  const databases = new Set(samples.flatMap(({ pools }) => pools.map(({ shard }) => shard)));
  for (const shard of databases) {
    const circuits = samples.flatMap(({ pools }) => pools.filter((pool) => pool.shard === shard));
    const open = circuits.filter(({ circuit = 'closed' }) => circuit !== 'closed').length;
    if (open * 2 >= circuits.length && open > 0)
      found.set(`db:${shard}`, `${open} of ${circuits.length} clusters get no answer`);
  }
  const links = samples.flatMap(({ cache }) => cache?.l2 ?? []);
  const away = links.filter(({ state }) => state !== 'closed').length;
  if (away * 2 >= links.length && away > 0) found.set('redis', `${away} of ${links.length} clusters get no answer`);
  if (tiers?.redis.state === 'down') found.set('redis', tiers.redis.message ?? 'it is down');
  if (tiers?.postgres.state === 'down' && tiers.postgres.kind === 'embedded') {
    for (let shard = 0; shard < tiers.postgres.shards; shard++) {
      found.set(`db:${shard}`, tiers.postgres.message ?? 'it is down');
    }
  }
  return [...found].map(([name, reason]) => ({ name, reason })).sort((a, b) => a.name.localeCompare(b.name));
}
