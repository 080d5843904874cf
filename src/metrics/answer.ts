import { RETENTION_MINUTES, MINUTE_MS } from './time-axis';
import type { Kind, Unit } from './catalogue';
import { STATS_OF, type LatestValue, type MetricQueries, type QueryResult } from './query';
import type { Stat } from './stat';
import { parseMetricsRequest } from './request';

export interface MetricInfo {
  name: string;
  kind: Kind;
  unit: Unit;
  help: string;
  /** Labels that its series have. */
  labels: string[];
  series: number;
  stats: readonly Stat[];
}

export interface MetricList {
  /** How far the store reaches back at most. */
  retentionSeconds: number;
  metrics: MetricInfo[];
}

export type MetricsAnswer = MetricList | QueryResult | { name: string; latest: LatestValue[] };

/** Answers what is asked in the query part of a URL; see parseMetricsRequest. @throws QueryError */
export function answerMetrics(queries: MetricQueries, params: URLSearchParams, now: number): MetricsAnswer {
  const request = parseMetricsRequest(params, now);
  switch (request.kind) {
    case 'list':
      return listMetrics(queries);
    case 'latest':
      return { name: request.query.name, latest: queries.latest(request.query.name, request.query.where) };
    case 'range':
      return queries.range(request.query);
  }
}

function listMetrics(queries: MetricQueries): MetricList {
  const metrics = queries.families().map(({ family, series }): MetricInfo => {
    const labels = new Set([...series.values()].slice(0, 100).flatMap((one) => Object.keys(one.labels)));
    const { name, kind, unit, help } = family;
    return { name, kind, unit, help, labels: [...labels], series: series.size, stats: STATS_OF[kind] };
  });
  return { retentionSeconds: (RETENTION_MINUTES * MINUTE_MS) / 1_000, metrics };
}
