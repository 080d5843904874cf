export { answerMetrics, type MetricInfo, type MetricList, type MetricsAnswer } from './answer';
export type { MetricArchive } from './archive';
export { Metrics, type MetricsOptions } from './metrics';
export { MetricQueries, QueryError, STATS, type LatestValue, type Query, type QueryResult, type Stat } from './query';
export type { Fact } from './sample-facts';
export type { MetricName } from './catalogue';
