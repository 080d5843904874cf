/** What was measured of some clusters in one window of time, taken together. */
export interface WindowFacts {
  clusters: number;
  /** Interactions and messages that the bot answered or should have answered. */
  requests: number;
  failures: number;
  unhandledRejections: number;
  restCalls: number;
  /** Answers of 500 and above, and refusals (4xx but 429). */
  restFailures: number;
  /** Time to the first response, seconds; null: too few. */
  latencyP95: number | null;
  latencyCount: number;
  /** Of the cluster that grew most in the window, bytes. */
  memoryGrowth: number;
  /** Of the largest, bytes. */
  memory: number;
  /** 99th percentile of the delay of the event loop, of the worst cluster, ms; null: not known. */
  loopDelayP99Ms: number | null;
}

export interface CanaryLimits {
  /** Share of 1 by which the new error rate may lie above the old one. */
  errorRate: number;
  /** By so much may the 95th percentile of the response time lie above the old one, ms. */
  latencyMs: number;
  /** By so much may a new cluster grow more than the old ones in the window, bytes. */
  memoryBytes: number;
}

/** Fewer say nothing about a share or a percentile. */
const MIN_REQUESTS = 20;
/** One-sided, 99.9 %: a difference that chance makes in one of a thousand windows. */
const Z = 3.09;
/** A response time that is half as long again is no outlier of a percentile. */
const LATENCY_FACTOR = 1.5;
/** A delay of the event loop that users notice, ms. */
const LOOP_DELAY_MS = 250;
/** A new process may be larger than an old one by half, beside the limit. */
const MEMORY_FACTOR = 1.5;
const MIN_REJECTIONS = 5;

const NOTHING: WindowFacts = {
  clusters: 0,
  requests: 0,
  failures: 0,
  unhandledRejections: 0,
  restCalls: 0,
  restFailures: 0,
  latencyP95: null,
  latencyCount: 0,
  memoryGrowth: 0,
  memory: 0,
  loopDelayP99Ms: null,
};

/**
 * Why the new release is not as good as the old one, in one line, or null. Both were measured over the same window; null:
 * nothing is known of the old one. Pure.
 */
export function compareReleases(fresh: WindowFacts, before: WindowFacts | null, limits: CanaryLimits): string | null {
  const old = before ?? NOTHING;
  return (
    errorRate('answers fail', [fresh.failures, fresh.requests], [old.failures, old.requests], limits.errorRate) ??
    errorRate(
      'REST calls fail',
      [fresh.restFailures, fresh.restCalls],
      [old.restFailures, old.restCalls],
      limits.errorRate,
    ) ??
    rejections(fresh, old) ??
    latency(fresh, old, limits) ??
    memory(fresh, old, limits) ??
    loopDelay(fresh, old)
  );
}

type Share = readonly [failed: number, all: number];

/** Two shares differ when they do so by more than the limit, and by more than chance explains (two-proportion z-test). */
function errorRate(what: string, [failed, all]: Share, [oldFailed, oldAll]: Share, limit: number): string | null {
  if (all < MIN_REQUESTS) return null;
  const rate = failed / all;
  const oldRate = oldAll === 0 ? 0 : oldFailed / oldAll;
  if (rate - oldRate <= limit) return null;
  const pooled = (failed + oldFailed) / (all + oldAll);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / all + 1 / Math.max(1, oldAll)));
  if (oldAll >= MIN_REQUESTS && rate - oldRate <= Z * error) return null;
  return `${what}: ${percent(rate)} of ${all} with the new release, ${percent(oldRate)} with the old one`;
}

function rejections(fresh: WindowFacts, old: WindowFacts): string | null {
  const each = fresh.unhandledRejections / Math.max(1, fresh.clusters);
  const oldEach = old.unhandledRejections / Math.max(1, old.clusters);
  if (each < MIN_REJECTIONS || each <= 2 * oldEach + MIN_REJECTIONS) return null;
  return `${fresh.unhandledRejections} unhandled rejections with the new release, ${old.unhandledRejections} with the old one`;
}

function latency(fresh: WindowFacts, old: WindowFacts, { latencyMs }: CanaryLimits): string | null {
  if (fresh.latencyP95 === null || fresh.latencyCount < MIN_REQUESTS) return null;
  if (old.latencyP95 === null || old.latencyCount < MIN_REQUESTS) return null;
  const [now, before] = [fresh.latencyP95 * 1_000, old.latencyP95 * 1_000];
  if (now <= before + latencyMs || now <= before * LATENCY_FACTOR) return null;
  return `responses take ${Math.round(now)} ms (p95) with the new release, ${Math.round(before)} ms with the old one`;
}

function memory(fresh: WindowFacts, old: WindowFacts, { memoryBytes }: CanaryLimits): string | null {
  const growth = fresh.memoryGrowth - Math.max(0, old.memoryGrowth);
  if (growth > memoryBytes) {
    return `memory grows: ${mb(fresh.memoryGrowth)} with the new release while it was watched, ${mb(Math.max(0, old.memoryGrowth))} with the old one`;
  }
  if (old.memory > 0 && fresh.memory > old.memory * MEMORY_FACTOR + memoryBytes) {
    return `memory: ${mb(fresh.memory)} with the new release, ${mb(old.memory)} with the old one`;
  }
  return null;
}

/** Without the old one to compare with it may as well be the machine. */
function loopDelay({ loopDelayP99Ms: now }: WindowFacts, { loopDelayP99Ms: before }: WindowFacts): string | null {
  if (now === null || before === null || now <= LOOP_DELAY_MS + LATENCY_FACTOR * before) return null;
  return `the event loop is late by ${Math.round(now)} ms (p99) with the new release, by ${Math.round(before)} ms with the old one`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}
