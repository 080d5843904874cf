/** What can be asked of a series. */
export const STATS = ['rate', 'increase', 'mean', 'min', 'max', 'p50', 'p90', 'p95', 'p99', 'count'] as const;
export type Stat = (typeof STATS)[number];
