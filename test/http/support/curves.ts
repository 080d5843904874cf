import type { MetricRange } from '../../../src/control/contract';
import { answerMetrics, Metrics } from '../../../src/metrics';

const SHAPES: Record<string, (share: number, noise: number) => number> = {
  shard_events_total: (share, noise) => 900 + 420 * Math.sin(6 * share) + 60 * noise,
  interactions_total: (share, noise) => 41 + 22 * Math.sin(6 * share - 0.3) + 4 * noise,
  interaction_response_seconds: (share, noise) => 0.12 + 0.03 * Math.sin(5 * share) + 0.02 * noise ** 2,
  interaction_failures_total: (share, noise) => Math.max(0, 0.02 * noise + (share > 0.62 && share < 0.7 ? 0.4 : 0)),
  unhandled_rejections_total: (_, noise) => (noise > 0.93 ? 0.016 : 0),
  cluster_rest_requests_total: (share, noise) => 52 + 25 * Math.sin(6 * share - 0.3) + 5 * noise,
  rest_rate_limited_total: (share, noise) => (share > 0.62 && share < 0.72 ? 0.3 + 0.1 * noise : 0),
  cluster_resident_memory_bytes: (share, noise) => (1_480 + 210 * share + 20 * noise) * 1024 ** 2,
  shard_ping_seconds: (share, noise) => 0.043 + 0.006 * Math.sin(9 * share) + 0.004 * noise,
};
const FACTORS: Record<string, number> = { p50: 0.34, max: 2.6 };

/** Metrics of a bot that has run for longer than asked for: the same curves each time. */
export function aCurve(params: URLSearchParams, now: number): MetricRange {
  // What the real parts say of a metric without values: names, units, refusals.
  const empty = new Metrics({ version: '0.0.0', maxBytes: 1024 ** 2 * 16, now: () => now });
  const { name, stat } = answerMetrics(empty.queries, params, now) as MetricRange;
  const answer = answerMetrics(empty.queries, params, now) as MetricRange;
  const day = params.get('since') === '24h';
  const [count, stepMs] = day ? [144, 600_000] : [60, 60_000];
  const from = now - count * stepMs;
  const noise = noiseFrom(name.length * 7 + stat.length);
  const shape = SHAPES[name] ?? (() => 1);
  const points = Array.from({ length: count }, (_, i) => shape((i + 1) / count, noise()) * (FACTORS[stat] ?? 1));
  return { ...answer, from, to: now, stepMs, total: 1, series: [{ labels: {}, value: points.at(-1) ?? null, points }] };
}

/** The same numbers from -1 to 1 each time. */
function noiseFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (2 * state) / 2 ** 31 - 1;
  };
}
