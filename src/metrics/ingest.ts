import { BUCKETS } from '../ipc/bucket-scale';
import type { Sample } from '../ipc/messages';
import { BOT_PREFIX, type Labels, type Readings, type ScalarReading, type SketchReading } from '../ipc/readings';
import { BucketCounts } from './bucket-counts';
import { botFamily, type Kind } from './catalogue';
import { dataCounters } from './data-facts';
import { sampleCounters, sampleGauges, type Fact } from './sample-facts';
import type { CounterSeries, HistogramSeries } from './series';
import type { MetricStore, StoredFamily } from './store';

/** Who sent a sample. */
export interface Source {
  cluster: number;
  /** Of the process; its counters begin at 0 with it. */
  incarnation: string;
  /** It ran before this supervisor did: what it had counted by then was told to another one. */
  adopted: boolean;
}

/** What is remembered of one process, so that its next sample can be told apart from what is known. */
interface Process {
  incarnation: string;
  seq: number;
  /** Its first sample only says from where to count. */
  isBaseline: boolean;
  counters: Map<string, CounterCursor>;
  sketches: Map<string, SketchCursor>;
}

interface CounterCursor {
  series: CounterSeries;
  last: number;
}

interface SketchCursor {
  series: HistogramSeries;
  last: BucketCounts;
}

/** Processes of a cluster that are remembered after their end. */
const MAX_FORMER = 10;
/** More facts in one sample are not believed. */
const MAX_FACTS = 50_000;

/**
 * Takes the samples of all clusters into the store. Counters of a process are absolute since its start: only what is new
 * is added, so that a total neither goes back when a process dies nor counts anything twice.
 */
export class Ingest {
  samples = 0;
  dropped = 0;
  readonly #processes = new Map<number, Process>();
  /** Of each cluster, the processes that others have followed. */
  readonly #former = new Map<number, string[]>();
  readonly #increase = new BucketCounts();

  constructor(private readonly store: MetricStore) {}

  /** Late and repeated samples change nothing. */
  take(source: Source, sample: Sample, now: number): void {
    const process = this.#process(source);
    const { seq } = sample;
    if (process === null || (seq !== undefined && seq <= process.seq)) {
      this.dropped++;
      return;
    }
    process.seq = seq ?? process.seq;
    this.samples++;
    const minute = this.store.minuteFor(sample.at, now);
    const at = Math.min(sample.at, now);
    // An old sample still adds to the totals; its minute is gone, so the oldest one that is left must do.
    const target = minute ?? this.store.oldestMinute;
    const cluster = String(source.cluster);
    for (const fact of sampleCounters(cluster, sample)) this.#count(process, fact, target);
    if (sample.data !== undefined) for (const fact of dataCounters(sample.data)) this.#count(process, fact, target);
    if (minute !== null) for (const fact of sampleGauges(cluster, sample)) this.#gauge(fact, at, minute);
    if (sample.readings !== undefined) this.#readings(process, cluster, sample.readings, { at, minute, target });
    process.isBaseline = false;
  }

  /** The process is gone: its gauges say nothing any more. */
  end(cluster: number): void {
    const label = String(cluster);
    for (const { family, series } of this.store.families()) {
      if (family.kind !== 'gauge' || !family.labels.includes('cluster')) continue;
      for (const one of series.values()) if (one.labels['cluster'] === label && 'end' in one) one.end();
    }
  }

  /** null: the sample comes from a process that another one has followed. */
  #process({ cluster, incarnation, adopted }: Source): Process | null {
    const known = this.#processes.get(cluster);
    if (known?.incarnation === incarnation) return known;
    const former = this.#former.get(cluster) ?? [];
    if (former.includes(incarnation)) return null;
    if (known !== undefined) this.#former.set(cluster, [known.incarnation, ...former].slice(0, MAX_FORMER));
    const process: Process = {
      incarnation,
      seq: -1,
      isBaseline: adopted,
      counters: new Map(),
      sketches: new Map(),
    };
    this.#processes.set(cluster, process);
    return process;
  }

  #readings(
    process: Process,
    cluster: string,
    { counters, gauges, sketches }: Readings,
    time: { at: number; minute: number | null; target: number },
  ): void {
    for (const reading of counters.slice(0, MAX_FACTS)) {
      const labels = this.#labels('counter', cluster, reading);
      if (labels !== null) this.#count(process, { name: reading.name, labels, value: reading.value }, time.target);
    }
    for (const reading of sketches.slice(0, MAX_FACTS)) {
      const labels = this.#labels('histogram', cluster, reading);
      if (labels !== null) this.#sketch(process, labels, reading, time.target);
    }
    const { minute } = time;
    if (minute === null) return;
    for (const reading of gauges.slice(0, MAX_FACTS)) {
      const labels = this.#labels('gauge', cluster, reading);
      if (labels !== null) this.#gauge({ name: reading.name, labels, value: reading.value }, time.at, minute);
    }
  }

  /** The labels of the series, with the cluster where the metric is told by cluster. null: the metric is not known. */
  #labels(kind: Kind, cluster: string, { name, labels = {} }: ScalarReading | SketchReading): Labels | null {
    let stored: StoredFamily | null | undefined = this.store.family(name);
    if (stored === undefined && name.startsWith(BOT_PREFIX)) stored = this.store.adoptFamily(botFamily(name, kind));
    if (stored === undefined || stored === null || stored.family.kind !== kind) {
      this.store.folded++;
      return null;
    }
    return stored.family.labels.includes('cluster') ? { ...labels, cluster } : labels;
  }

  #count(process: Process, { name, labels, value }: Fact<string>, minute: number): void {
    if (!(Number.isFinite(value) && value >= 0)) return;
    const key = cursorKey(name, labels);
    let cursor = process.counters.get(key);
    if (cursor === undefined || cursor.series.removed) {
      const series = this.store.series('counter', name, labels, minute);
      if (series === null) return;
      // A counter that begins later than its process, or is made anew, has nothing behind it but its process's start.
      cursor = { series, last: cursor?.last ?? (process.isBaseline ? value : 0) };
      process.counters.set(key, cursor);
    }
    cursor.series.add(value < cursor.last ? value : value - cursor.last, minute);
    cursor.last = value;
  }

  #sketch(process: Process, labels: Labels, { name, sum, buckets }: SketchReading, minute: number): void {
    const key = cursorKey(name, labels);
    let cursor = process.sketches.get(key);
    if (cursor === undefined || cursor.series.removed) {
      const series = this.store.series('histogram', name, labels, minute);
      if (series === null) return;
      cursor = { series, last: cursor?.last ?? new BucketCounts() };
      process.sketches.set(key, cursor);
    }
    const increase = this.#increase;
    increase.clear();
    const { last } = cursor;
    for (let index = 0; index + 1 < buckets.length; index += 2) {
      const bucket = buckets[index] as number;
      const count = buckets[index + 1] as number;
      if (!(Number.isInteger(bucket) && bucket >= 0 && bucket < BUCKETS)) continue;
      const more = count - last.at(bucket);
      if (!(more > 0)) continue;
      last.add(bucket, more);
      increase.add(bucket, more);
    }
    increase.sum = sum - last.sum;
    last.sum = sum;
    if (!process.isBaseline) cursor.series.add(increase, minute);
  }

  #gauge({ name, labels, value }: Fact<string>, at: number, minute: number): void {
    if (Number.isFinite(value)) this.store.series('gauge', name, labels, minute)?.set(value, at);
  }
}

function cursorKey(name: string, labels: Labels): string {
  let key = name;
  for (const label in labels) key += `\n${labels[label] ?? ''}`;
  return key;
}
