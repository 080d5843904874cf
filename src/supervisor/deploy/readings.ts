import type { ClusterTotals } from '../../deploy/rollout/window';
import type { WindowFacts } from '../../deploy/rollout/compare';
import type { Metrics, MetricName } from '../../metrics';
import type { ObservedCluster } from '../../sharding/cluster/observed-cluster';

/** How far back the old release is looked at when nothing runs it any more, ms. */
const BASELINE_MS = 10 * 60 * 1_000;
const REQUESTS = [
  'interactions_total',
  'message_replies_total',
  'message_reply_failures_total',
] as const satisfies readonly MetricName[];
const FAILURES = [
  'interaction_failures_total',
  'message_reply_failures_total',
] as const satisfies readonly MetricName[];
const RESPONSES = ['interaction_response_seconds', 'message_response_seconds'] as const satisfies readonly MetricName[];
const REST = 'cluster_rest_requests_total' satisfies MetricName;
const LOOP_DELAY = 'cluster_event_loop_delay_p99_seconds' satisfies MetricName;
const REJECTIONS = 'unhandled_rejections_total' satisfies MetricName;

/** What the metrics say of one cluster since the supervisor's start. */
export function clusterTotals(metrics: Metrics, cluster: ObservedCluster | null, id: number): ClusterTotals {
  const where = { cluster: String(id) };
  const sum = (
    names: readonly MetricName[],
    counts: (labels: Record<string, string>) => boolean = () => true,
  ): number =>
    names
      .flatMap((name) => metrics.queries.latest(name, where))
      .filter(({ labels }) => counts(labels))
      .reduce((all, { value }) => all + value, 0);
  const latency = new Map<number, number>();
  for (const name of RESPONSES) {
    for (const [bucket, count] of metrics.queries.distribution(name, where)) {
      latency.set(bucket, (latency.get(bucket) ?? 0) + count);
    }
  }
  return {
    requests: sum(REQUESTS),
    failures: sum(FAILURES),
    unhandledRejections: sum([REJECTIONS]),
    restCalls: sum([REST]),
    restFailures: sum([REST], ({ status = '' }) => isFailure(status)),
    latency,
    memoryBytes: cluster?.sample?.rssBytes ?? null,
    loopDelayP99Ms: cluster?.sample?.loopDelayP99Ms ?? null,
  };
}

/** How the bot was in the last minutes; null: nothing was measured. */
export function baseline(metrics: Metrics, clusters: readonly ObservedCluster[]): WindowFacts | null {
  const { queries } = metrics;
  const sum = (names: readonly MetricName[]): number =>
    names.reduce((all, name) => all + (queries.figure(name, 'increase', BASELINE_MS) ?? 0), 0);
  const requests = sum(REQUESTS);
  if (requests === 0) return null;
  const rest = queries.range({ name: REST, by: ['status'], from: Date.now() - BASELINE_MS, to: Date.now() }).series;
  const failed = rest.filter(({ labels }) => isFailure(labels['status'] ?? ''));
  return {
    clusters: clusters.length,
    requests,
    failures: sum(FAILURES),
    unhandledRejections: sum([REJECTIONS]),
    restCalls: total(queries.figure(REST, 'increase', BASELINE_MS)),
    restFailures: failed.reduce((all, { labels }) => {
      const where = { status: labels['status'] ?? '' };
      return all + total(queries.figure(REST, 'increase', BASELINE_MS, where));
    }, 0),
    latencyP95: Math.max(...RESPONSES.map((name) => queries.figure(name, 'p95', BASELINE_MS) ?? -1)),
    latencyCount: requests,
    memoryGrowth: 0,
    memory: Math.max(0, ...clusters.map(({ sample }) => sample?.rssBytes ?? 0)),
    loopDelayP99Ms: inMs(queries.figure(LOOP_DELAY, 'mean', BASELINE_MS)),
  };
}

function inMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1_000;
}

function total(value: number | null): number {
  return value ?? 0;
}

/** Answered, and not as it should be; a 429 is waited out. */
function isFailure(status: string): boolean {
  return status === 'error' || (/^[45]\d\d$/.test(status) && status !== '429');
}
