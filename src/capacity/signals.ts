import type { CapacityReport } from './report';

/** A limit that is near, for those who tell of incidents. */
export interface LimitNear {
  /** Unique among those that are near: `guilds-per-shard`, `database-size/db:2`. */
  name: string;
  /** Database shard; null: not about one. */
  database: number | null;
  severity: 'warning' | 'critical';
  /** One sentence with figures, dates and the change. */
  text: string;
}

/** Share of a limit at which things break any moment. */
const CRITICAL_SHARE = 0.95;

/** The limits that are near now. What is foreseen for later is in the weekly report. Pure. */
export function limitsNear({ recommendations, resources }: CapacityReport): LimitNear[] {
  return recommendations.flatMap(({ resource, scope, urgency, why, change }) => {
    if (urgency !== 'now') return [];
    const report = resources.find((one) => one.resource === resource && one.scope === scope);
    const share = report?.limit == null ? 0 : report.usual / report.limit;
    const what = change === null ? '' : ` ${change.key}: ${change.from} -> ${change.to}.`;
    const plain = scope === 'bot' || scope === 'host';
    const database = /^db:(\d+)$/.exec(scope)?.[1];
    return {
      name: plain ? resource : `${resource}/${scope}`,
      database: database === undefined ? null : Number(database),
      severity: share >= CRITICAL_SHARE ? 'critical' : 'warning',
      text: `${why}${what} See: botctl capacity`,
    };
  });
}
