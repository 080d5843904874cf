import { Registry } from 'prom-client';
import { BOUNDS } from '../ipc/bucket-scale';
import type { Labels } from '../ipc/readings';
import { BucketCounts } from './bucket-counts';
import type { Unit } from './catalogue';
import { isFresh } from './query';
import { groupSeries } from './select';
import type { HistogramSeries } from './series';
import type { AnySeries, MetricStore, StoredFamily } from './store';

/** Several scrapers at once cost one answer, ms. */
const CACHE_MS = 1_000;
const PREFIX = 'botctl_';

/** Upper bounds of the buckets that Prometheus sees; each is a bound of the scale, so their counts are exact. */
const LE: Record<'seconds' | 'bytes' | 'count', readonly number[]> = {
  seconds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  bytes: [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
  count: [0.01, 0.1, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 1e4, 1e5, 1e6],
};

interface Value {
  labels: Labels;
  value: number;
  metricName?: string;
}

/** What prom-client asks of a metric when it writes the text; its own aggregation makes such objects too. */
interface PromMetric {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  aggregator: 'sum';
  values: Value[];
}

/**
 * The text for Prometheus. Counters of the clusters are told as the store's totals, which never go back; a gauge that is
 * not known any more is left out rather than told with its last good value.
 */
export class Exposition {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  #text: Promise<string> | null = null;
  #until = -Infinity;

  constructor(
    private readonly store: MetricStore,
    private readonly version: string,
    private readonly now: () => number,
  ) {}

  text(): Promise<string> {
    const now = this.now();
    if (this.#text === null || now >= this.#until || now < this.#until - CACHE_MS) {
      this.#until = now + CACHE_MS;
      this.#text = this.#build(now);
      // What failed is not kept.
      this.#text.catch(() => (this.#text = null));
    }
    return this.#text;
  }

  async #build(now: number): Promise<string> {
    const registry = new Registry();
    register(registry, {
      name: `${PREFIX}build_info`,
      help: 'Version of botctl.',
      type: 'gauge',
      aggregator: 'sum',
      values: [{ labels: { version: this.version }, value: 1 }],
    });
    for (const stored of this.store.families()) {
      const metric = this.#metric(stored, now);
      if (metric.values.length > 0) register(registry, metric);
    }
    return await registry.metrics();
  }

  #metric({ family, series, isBots }: StoredFamily, now: number): PromMetric {
    const name = isBots ? family.name : PREFIX + family.name;
    const values: Value[] = [];
    if (family.kind === 'histogram') {
      // By cluster they would be thousands of lines; `botctl metrics` has them.
      for (const { labels, series: all } of groupSeries(
        { series },
        {},
        family.labels.filter((it) => it !== 'cluster'),
      )) {
        pushHistogram(values, name, labels, merged(all as HistogramSeries[]), bounds(family.unit));
      }
    } else for (const one of series.values()) push(values, one, now);
    return { name, help: family.help, type: family.kind, aggregator: 'sum', values };
  }
}

function register(registry: Registry, metric: PromMetric): void {
  // The types of prom-client only know its own classes.
  registry.registerMetric({ ...metric, get: () => metric } as unknown as Parameters<Registry['registerMetric']>[0]);
}

function push(values: Value[], series: AnySeries, now: number): void {
  const { labels } = series;
  if ('increases' in series) values.push({ labels, value: series.total });
  else if ('mean' in series && isFresh(series, now)) values.push({ labels, value: series.last });
}

function merged(series: readonly HistogramSeries[]): BucketCounts {
  const counts = new BucketCounts();
  for (const { total } of series) counts.addAll(total);
  return counts;
}

function pushHistogram(
  values: Value[],
  name: string,
  labels: Labels,
  counts: BucketCounts,
  les: readonly number[],
): void {
  let index = 0;
  let seen = 0;
  const upTo = (limit: number): void => {
    for (; index < les.length && (les[index] as number) < limit; index++) {
      values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: String(les[index]) }, value: seen });
    }
  };
  counts.forEach((bucket, count) => {
    upTo(BOUNDS[bucket] ?? Infinity);
    seen += count;
  });
  upTo(Infinity);
  values.push(
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: seen },
    { metricName: `${name}_sum`, labels, value: counts.sum },
    { metricName: `${name}_count`, labels, value: seen },
  );
}

function bounds(unit: Unit): readonly number[] {
  return unit === 'seconds' || unit === 'bytes' ? LE[unit] : LE.count;
}
