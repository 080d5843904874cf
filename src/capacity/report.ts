import type { Expected, Forecast } from './forecast/types';
import type { ResourceName, ResourceUnit } from './resource';

/** Times are ms since the epoch. */
export interface CapacityReport {
  at: number;
  /** The first hour of the history; null: there is none yet. */
  since: number | null;
  keptIn: 'postgres' | 'state folder';
  /** Hours that wait for Postgres to be back. */
  unwrittenHours: number;
  /** Why the history cannot be kept as it should; null: it can. */
  problem: string | null;
  /** Share of a limit from which on it counts as near. */
  threshold: number;
  /** Nearest to its limit first; what has no known limit last. */
  resources: ResourceReport[];
  /** Most urgent first. */
  recommendations: Recommendation[];
}

export interface ResourceReport {
  resource: ResourceName;
  scope: string;
  title: string;
  unit: ResourceUnit;
  /** Latest value. */
  value: number;
  /** What is in use at the strongest hour of the week; with too little history the middle of the last day, or `value`. */
  usual: number;
  /** null: not known; such a value says nothing of what is left. */
  limit: number | null;
  /** Which one it is of many: `shard 17`. */
  detail: string | null;
  /** null: without a limit there is nothing to look ahead to. The dates are those of the threshold and of the limit. */
  forecast: Forecast | null;
  /** When it was last seen. */
  seenAt: number;
  /** By six hours, the first begins at `from`; null: nothing was seen. */
  history: { from: number; stepMs: number; points: (number | null)[] };
  /** Of the days to come. */
  outlook: Expected[];
}

export interface Recommendation {
  resource: ResourceName;
  scope: string;
  /** now: the threshold is passed, or the limit is met within a week; soon: it will be within the horizon. */
  urgency: 'now' | 'soon';
  /** What is short, with figures and dates. */
  why: string;
  /** null: nothing of the config helps. */
  change: Change | null;
  /** What to do, and what to look at. */
  how: string;
  cost: Cost;
}

export interface Change {
  /** Where it is made: in botctl.yaml, at the database server, or at the machine (or container). */
  where: 'config' | 'server' | 'machine';
  key: string;
  from: string;
  to: string;
}

/** What a change takes; what is absent stays as it is. */
export interface Cost {
  /** More processes. */
  processes?: number;
  /** More memory at most, bytes. */
  memoryBytes?: number;
  /** More connections. */
  connections?: number;
  /** IDENTIFYs spent when it is put in force. */
  identifies?: number;
}

/** What `status`, the metrics and the dashboard tell. */
export interface CapacityStatus {
  at: number;
  since: number | null;
  problem: string | null;
  resources: {
    resource: ResourceName;
    scope: string;
    title: string;
    unit: ResourceUnit;
    value: number;
    /** As in the report: not the moment's. */
    usual: number;
    limit: number;
    /** too-little: the history is too short to tell. */
    trend: 'rising' | 'falling' | 'steady' | 'too-little';
    /** When the threshold and the limit are met; null: not foreseen. */
    nearAt: number | null;
    fullAt: number | null;
  }[];
  recommendations: Recommendation[];
}

/** The part of a report that is looked at all the time. Pure. */
export function capacityStatus({ at, since, problem, resources, recommendations }: CapacityReport): CapacityStatus {
  return {
    at,
    since,
    problem,
    resources: resources.flatMap(({ resource, scope, title, unit, value, usual, limit, forecast }) => {
      if (limit === null || forecast === null) return [];
      const [near, full] = forecast.kind === 'trend' ? forecast.meetings : [];
      return {
        ...{ resource, scope, title, unit, value, usual, limit },
        trend: forecast.kind === 'trend' ? forecast.direction : forecast.kind,
        nearAt: near?.at ?? null,
        fullAt: full?.at ?? null,
      };
    }),
    recommendations,
  };
}
