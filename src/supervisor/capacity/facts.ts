import type { CapacityStatus } from '../../capacity';
import type { Fact } from '../../metrics';

/** What the metrics tell of capacity. A limit that is not foreseen to be met has no time. Pure. */
export function capacityFacts({ resources, recommendations }: CapacityStatus): Fact[] {
  const facts = resources.flatMap(({ resource, scope, usual, limit, fullAt }): Fact[] => {
    const labels = { resource, scope };
    return [
      { name: 'capacity_used_ratio', labels, value: usual / limit },
      { name: 'capacity_full_timestamp_seconds', labels, value: fullAt === null ? NaN : fullAt / 1_000 },
    ];
  });
  return [...facts, { name: 'capacity_recommendations', labels: {}, value: recommendations.length }];
}
