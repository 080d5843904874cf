import type { Sample } from '../ipc/messages';
import type { Labels } from '../ipc/readings';
import { MetricArchive } from './archive';
import { CATALOGUE, type MetricName } from './catalogue';
import { Exposition } from './exposition';
import { Ingest, type Source } from './ingest';
import { MetricQueries } from './query';
import type { Fact } from './sample-facts';
import { MetricStore } from './store';
import { MINUTE_MS, minuteOf } from './time-axis';

export interface MetricsOptions {
  /** Of botctl. */
  version: string;
  /** Bytes of history. */
  maxBytes: number;
  /** ms since the epoch. */
  now: () => number;
}

/** The metrics of one bot: what its processes report and what the supervisor knows, for 24 hours. */
export class Metrics {
  readonly queries: MetricQueries;
  readonly exposition: Exposition;
  readonly #store: MetricStore;
  readonly #ingest: Ingest;
  readonly #now: () => number;

  constructor({ version, maxBytes, now }: MetricsOptions) {
    this.#now = now;
    this.#store = new MetricStore({ families: CATALOGUE, maxBytes, now: now() });
    this.#ingest = new Ingest(this.#store);
    this.queries = new MetricQueries(this.#store, now);
    this.exposition = new Exposition(this.#store, version, now);
  }

  /** Keeps the history in a folder. */
  archive(dir: string, onError: (error: unknown) => void): MetricArchive {
    return new MetricArchive({ dir, store: this.#store, now: this.#now, onError });
  }

  /** Memory of the store, bytes. */
  get bytes(): number {
    return this.#store.bytes;
  }

  take(source: Source, sample: Sample): void {
    this.#ingest.take(source, sample, this.#now());
  }

  /** A cluster's process is gone. */
  processEnded(cluster: number): void {
    this.#ingest.end(cluster);
  }

  /** Something has happened. */
  count(name: MetricName, labels: Labels = {}, increase = 1): void {
    const now = this.#now();
    const minute = this.#store.minuteFor(now, now);
    if (minute !== null) this.#store.series('counter', name, labels, minute)?.add(increase, minute);
  }

  /** How things are now. */
  set(facts: readonly Fact[]): void {
    const now = this.#now();
    const minute = this.#store.minuteFor(now, now);
    if (minute === null) return;
    for (const { name, labels, value } of facts) {
      const series = this.#store.series('gauge', name, labels, minute);
      if (Number.isFinite(value)) series?.set(value, now);
      else series?.end();
    }
  }

  /** Closes what is over and tells how the store itself is; to be called every few seconds. */
  tick(): void {
    const now = this.#now();
    this.#store.advance(now);
    const { samples, dropped } = this.#ingest;
    this.#countTo('metrics_samples_total', samples);
    this.#countTo('metrics_samples_dropped_total', dropped);
    this.#countTo('metrics_series_folded_total', this.#store.folded);
    const labels = {};
    this.set([
      { name: 'metrics_series', labels, value: this.#store.seriesCount },
      { name: 'metrics_memory_bytes', labels, value: this.#store.bytes },
      {
        name: 'metrics_retention_seconds',
        labels,
        value: ((minuteOf(now) - this.#store.oldestMinute + 1) * MINUTE_MS) / 1_000,
      },
    ]);
  }

  #countTo(name: MetricName, total: number): void {
    const now = this.#now();
    const minute = minuteOf(now);
    const series = this.#store.series('counter', name, {}, minute);
    series?.add(total - series.total, minute);
  }
}
