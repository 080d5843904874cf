export { answerMetrics, type MetricInfo, type MetricList, type MetricsAnswer } from './answer';
export type { MetricArchive } from './archive';
export { Metrics, type MetricsOptions } from './metrics';
export { MetricQueries, QueryError, type LatestValue, type Query, type QueryResult } from './query';
export { STATS, type Stat } from './stat';
export type { Fact } from './sample-facts';
export type { MetricName } from './catalogue';
