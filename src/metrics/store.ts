import { BOT_PREFIX, OTHER, type Labels } from '../ipc/readings';
import { BLOCK, BlockPool } from './block-pool';
import { botFamily, type Family, type Kind } from './catalogue';
import { CounterSeries, GaugeSeries, HistogramSeries, type Series, type SeriesHour } from './series';
import { HOURS, RETENTION_MINUTES, hourOf, minuteOf } from './time-axis';

export interface StoreOptions {
  families: readonly Family[];
  /** Bytes of history; when they are used up, the oldest hours go first. */
  maxBytes: number;
  /** Series in all, and of one metric of the bot. */
  maxSeries?: number;
  maxSeriesPerBotMetric?: number;
  /** Metrics of the bot. */
  maxBotMetrics?: number;
  /** ms since the epoch. */
  now: number;
}

/** An hour of everything, as it is kept in a file. */
export interface StoredHour {
  /** Hours since the epoch. */
  hour: number;
  series: { name: string; kind: Kind; labels: Labels; data: SeriesHour }[];
}

/** A metric with its series. */
export interface StoredFamily<S extends Series = AnySeries> {
  readonly family: Family;
  readonly isBots: boolean;
  readonly series: ReadonlyMap<string, S>;
}

export type AnySeries = CounterSeries | GaugeSeries | HistogramSeries;
type SeriesOf<K extends Kind> = K extends 'counter' ? CounterSeries : K extends 'gauge' ? GaugeSeries : HistogramSeries;

interface MutableFamily extends StoredFamily {
  readonly series: Map<string, AnySeries>;
}

const MAX_SERIES = 60_000;
const MAX_SERIES_PER_BOT_METRIC = 500;
const MAX_BOT_METRICS = 200;
/** What a series takes beside its history, bytes, by measurement (test/bench/observe.ts). */
const BYTES_PER_SERIES = 1_000;

/**
 * The last 24 hours of every metric, a minute at a time. The number of series is bounded, and so is the memory: labels
 * too many share the series `other`, and hours too many go, the oldest first.
 */
export class MetricStore {
  readonly #options: Required<StoreOptions>;
  readonly #families = new Map<string, MutableFamily>();
  readonly #pool = new BlockPool();
  readonly #ledger = { bytes: 0 };
  #count = 0;
  #botMetrics = 0;
  #hour: number;
  /** Before this hour nothing is kept. */
  #oldestHour: number;
  /** Values that went to `other` or, beyond every bound, nowhere. */
  folded = 0;

  constructor(options: StoreOptions) {
    this.#options = {
      maxSeries: MAX_SERIES,
      maxSeriesPerBotMetric: MAX_SERIES_PER_BOT_METRIC,
      maxBotMetrics: MAX_BOT_METRICS,
      ...options,
    };
    for (const family of options.families)
      this.#families.set(family.name, { family, isBots: false, series: new Map() });
    this.#hour = hourOf(minuteOf(options.now));
    this.#oldestHour = this.#hour;
  }

  get seriesCount(): number {
    return this.#count;
  }

  /** Memory of all series, bytes. */
  get bytes(): number {
    return this.#pool.bytes + this.#ledger.bytes + this.#count * BYTES_PER_SERIES;
  }

  /** The first minute of which something may be known. */
  get oldestMinute(): number {
    return this.#oldestHour * BLOCK;
  }

  family(name: string): StoredFamily | undefined {
    return this.#families.get(name);
  }

  families(): IterableIterator<StoredFamily> {
    return this.#families.values();
  }

  /** Makes a metric of the bot known. null: there are too many, or the name has another kind already. */
  adoptFamily(family: Family): StoredFamily | null {
    const known = this.#families.get(family.name);
    if (known !== undefined) return known.family.kind === family.kind ? known : null;
    if (this.#botMetrics >= this.#options.maxBotMetrics) return null;
    this.#botMetrics++;
    const added = { family, isBots: true, series: new Map<string, AnySeries>() };
    this.#families.set(family.name, added);
    return added;
  }

  /** The series of these labels, made when it is new. null: there is no such metric of this kind, or no room at all. */
  series<K extends Kind>(kind: K, name: string, labels: Labels, minute: number): SeriesOf<K> | null {
    const stored = this.#families.get(name);
    if (stored?.family.kind !== kind) return null;
    const key = seriesKey(stored, labels);
    const found = stored.series.get(key) ?? this.#add(stored, key, labels, minute);
    return found as SeriesOf<K> | null;
  }

  /** The minute at which a value of `at` is kept; null: it is too old, and only the totals can take it. */
  minuteFor(at: number, now: number): number | null {
    if (hourOf(minuteOf(now)) !== this.#hour) this.advance(now);
    const minute = minuteOf(Math.min(at, now));
    const newest = minuteOf(now);
    return minute >= this.oldestMinute && minute > newest - RETENTION_MINUTES ? minute : null;
  }

  /** Closes what is over and makes room; to be called each minute or so. */
  advance(now: number): void {
    const hour = hourOf(minuteOf(now));
    // A clock that was put back for longer than a correction leaves a history that lies in the future.
    if (hour < this.#hour - 1 || hour > this.#hour + HOURS) this.#startAnew(hour);
    while (this.#hour < hour) {
      this.#each((series) => series.close(this.#hour));
      this.#hour++;
      while (this.#oldestHour <= this.#hour - HOURS) this.#dropOldest();
      this.#removeIdle();
    }
    while (this.bytes > this.#options.maxBytes && this.#oldestHour < this.#hour) this.#dropOldest();
  }

  /** The hour that is being filled. */
  get hour(): number {
    return this.#hour;
  }

  /** What is kept of an hour, of all series. */
  dump(hour: number): StoredHour {
    const series: StoredHour['series'] = [];
    for (const { family, series: all } of this.#families.values()) {
      for (const one of all.values()) {
        const data = one.dump(hour);
        if (data !== null) series.push({ name: family.name, kind: family.kind, labels: one.labels, data });
      }
    }
    return { hour, series };
  }

  /** Puts an hour back that an earlier process has dumped. Metrics that are not known any more are left out. */
  load({ hour, series }: StoredHour): void {
    if (hour > this.#hour || hour <= this.#hour - HOURS) return;
    this.#oldestHour = Math.min(this.#oldestHour, hour);
    for (const { name, kind, labels, data } of series) {
      if (name.startsWith(BOT_PREFIX)) this.adoptFamily(botFamily(name, kind));
      const one = this.series(kind, name, labels, data.born);
      one?.load(hour, data);
      if (hour < this.#hour) one?.close(hour);
    }
  }

  #add(stored: MutableFamily, key: string, labels: Labels, minute: number): AnySeries | null {
    const { maxSeries, maxSeriesPerBotMetric } = this.#options;
    const full = this.#count >= maxSeries || (stored.isBots && stored.series.size >= maxSeriesPerBotMetric);
    if (full) {
      this.folded++;
      return this.#other(stored, labels, minute);
    }
    return this.#make(stored, key, labels, minute);
  }

  #other(stored: MutableFamily, labels: Labels, minute: number): AnySeries | null {
    const { series } = stored;
    // The cluster is known and bounded; what the bot or Discord named is not.
    const folded = Object.fromEntries(
      Object.entries(labels).map(([name, value]) => [name, name === 'cluster' || name === 'shard' ? value : OTHER]),
    );
    const key = seriesKey(stored, folded);
    const found = series.get(key);
    if (found !== undefined) return found;
    // One more for what has too many: twice the bound is the end of it.
    if (this.#count >= this.#options.maxSeries * 2) return null;
    return this.#make(stored, key, folded, minute);
  }

  #make({ family, series }: MutableFamily, key: string, labels: Labels, minute: number): AnySeries {
    const made =
      family.kind === 'counter'
        ? new CounterSeries(labels, minute, this.#pool)
        : family.kind === 'gauge'
          ? new GaugeSeries(labels, minute, this.#pool, family.extremes)
          : new HistogramSeries(labels, minute, this.#ledger);
    series.set(key, made);
    this.#count++;
    return made;
  }

  #dropOldest(): void {
    const hour = this.#oldestHour++;
    this.#each((series) => series.drop(hour));
  }

  /** Labels that the bot does not use any more make room for others. */
  #removeIdle(): void {
    for (const { isBots, series } of this.#families.values()) {
      if (!isBots) continue;
      for (const [key, one] of series) {
        if (one.updated >= this.oldestMinute) continue;
        one.removed = true;
        series.delete(key);
        this.#count--;
      }
    }
  }

  #startAnew(hour: number): void {
    for (; this.#oldestHour <= this.#hour; this.#oldestHour++) this.#each((series) => series.drop(this.#oldestHour));
    this.#hour = this.#oldestHour = hour;
    this.#each((series) => (series.born = series.updated = hour * BLOCK));
  }

  #each(visit: (series: Series) => void): void {
    for (const { series } of this.#families.values()) for (const one of series.values()) visit(one);
  }
}

/** A metric of botctl has the labels of its family; what a bot adds may differ from record to record. */
function seriesKey({ family, isBots }: StoredFamily, labels: Labels): string {
  if (isBots) return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { labels: names } = family;
  if (names.length === 1) return labels[names[0] as string] ?? '';
  let key = '';
  for (const name of names) key += `${labels[name] ?? ''}\n`;
  return key;
}
