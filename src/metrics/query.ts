import type { Labels } from '../ipc/readings';
import type { Kind, Unit } from './catalogue';
import { groupSeries, type Where } from './select';
import { counterSteps, gaugeSteps, histogramSteps, type Steps } from './steps';
import type { CounterSeries, GaugeSeries, HistogramSeries } from './series';
import type { MetricStore, StoredFamily } from './store';
import type { Stat } from './stat';
import { nearestName } from './suggest';
import { MINUTE_MS, minuteOf } from './time-axis';

/** Which statistics each kind has; the first is what is shown when none is asked for. */
export const STATS_OF: Readonly<Record<Kind, readonly [Stat, ...Stat[]]>> = {
  counter: ['rate', 'increase'],
  gauge: ['mean', 'min', 'max', 'p50', 'p90', 'p95', 'p99'],
  histogram: ['p95', 'p50', 'p90', 'p99', 'mean', 'min', 'max', 'rate', 'count'],
};

/** Times in ms since the epoch, durations in ms. */
export interface Query {
  name: string;
  /** Only series with these labels; a label may have several values. */
  where?: Where;
  from: number;
  to: number;
  /** Width of a point, whole minutes. Absent: one point for the whole time. */
  stepMs?: number;
  /** Series that agree in these labels become one; absent: each series by itself, empty: all become one. */
  by?: readonly string[];
  stat?: Stat;
  /** Only so many series, those with the greatest value over the whole time. */
  top?: number;
}

export interface QueryResult {
  name: string;
  kind: Kind;
  unit: Unit;
  help: string;
  stat: Stat;
  from: number;
  to: number;
  stepMs: number;
  /** How many there are; more than are here when `top` was given. */
  total: number;
  series: ResultSeries[];
}

export interface ResultSeries {
  labels: Labels;
  /** The statistic over the whole time; null: nothing was measured. */
  value: number | null;
  /** One per step, the first begins at `from`. */
  points: (number | null)[];
}

export interface LatestValue {
  labels: Labels;
  /** Total of a counter, latest value of a gauge, number of values of a histogram. */
  value: number;
}

/** The query cannot be answered as it is asked; the message says what could be. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** More points are not computed in one answer. */
export const MAX_POINTS = 500_000;
/** A gauge that was not set for so long is not known any more, ms. */
export const STALE_MS = 20_000;

/** Answers questions about the store. */
export class MetricQueries {
  constructor(
    private readonly store: MetricStore,
    private readonly now: () => number,
  ) {}

  /** A range of values. @throws QueryError */
  range(query: Query): QueryResult {
    const stored = this.#find(query.name);
    const { family } = stored;
    const stat = this.#stat(stored, query.stat);
    const { first, last, width, count } = this.#minutes(query);
    checkLabels(stored, [...Object.keys(query.where ?? {}), ...(query.by ?? [])]);
    const groups = groupSeries(stored, query.where ?? {}, query.by);
    if (groups.length * count > MAX_POINTS) {
      throw new QueryError(
        `${groups.length} series with ${count} points each are too many: take a longer step, group with by, or select with labels`,
      );
    }
    const now = this.now();
    const whole: Steps = { first, last, width: last - first + 1, now, oldest: this.store.oldestMinute };
    const all = groups.map((group) => {
      const [value = null] = compute(stored, group.series, stat, whole);
      return { group, value };
    });
    if (query.top !== undefined) all.sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));
    const series = all.slice(0, query.top ?? all.length).map(({ group, value }) => ({
      labels: group.labels,
      value,
      points: count === 1 ? [value] : compute(stored, group.series, stat, { ...whole, width }),
    }));
    return {
      name: family.name,
      kind: family.kind,
      unit: unitOf(family.unit, stat),
      help: family.help,
      stat,
      from: first * MINUTE_MS,
      to: Math.min((last + 1) * MINUTE_MS, now),
      stepMs: width * MINUTE_MS,
      total: groups.length,
      series,
    };
  }

  /** One figure over the last `windowMs`, of all series that fit; null: nothing was measured. @throws QueryError */
  figure(name: string, stat: Stat, windowMs: number, where: Where = {}): number | null {
    const now = this.now();
    const { series } = this.range({ name, stat, where, by: [], from: now - windowMs + MINUTE_MS, to: now });
    return series[0]?.value ?? null;
  }

  /** What is the case now. @throws QueryError */
  latest(name: string, where: Where = {}): LatestValue[] {
    const fits = groupSeries(this.#find(name), where, undefined).flatMap((group) => group.series);
    const now = this.now();
    return fits.flatMap((one): LatestValue[] => {
      if ('increases' in one) return [{ labels: one.labels, value: one.total }];
      if ('mean' in one) return isFresh(one, now) ? [{ labels: one.labels, value: one.last }] : [];
      return [{ labels: one.labels, value: one.total.total }];
    });
  }

  /** How many values of a histogram there were since the supervisor's start, by bucket (ipc/bucket-scale.ts). @throws QueryError */
  distribution(name: string, where: Where = {}): Map<number, number> {
    const counts = new Map<number, number>();
    for (const { series } of groupSeries(this.#find(name), where, [])) {
      for (const one of series) {
        if (!('total' in one) || typeof one.total === 'number') continue;
        one.total.forEach((bucket, count) => counts.set(bucket, (counts.get(bucket) ?? 0) + count));
      }
    }
    return counts;
  }

  /** Metrics that have a series, by name. */
  families(): StoredFamily[] {
    const known = [...this.store.families()].filter(({ series }) => series.size > 0);
    return known.sort((a, b) => (a.family.name < b.family.name ? -1 : 1));
  }

  #find(name: string): StoredFamily {
    const stored = this.store.family(name.replace(/^botctl_/, ''));
    if (stored !== undefined) return stored;
    const near = nearestName(
      name,
      [...this.store.families()].map(({ family }) => family.name),
    );
    throw new QueryError(
      `there is no metric ${name}`,
      near === null ? 'botctl metrics lists them' : `did you mean ${near}?`,
    );
  }

  #stat({ family }: StoredFamily, stat: Stat | undefined): Stat {
    const known = STATS_OF[family.kind];
    const chosen = stat ?? known[0];
    if (known.includes(chosen)) return chosen;
    throw new QueryError(`${family.name} is a ${family.kind}: it has ${known.join(', ')}, not ${chosen}`);
  }

  #minutes({ from, to, stepMs }: Query): { first: number; last: number; width: number; count: number } {
    const now = this.now();
    const last = minuteOf(Math.min(to, now));
    const first = Math.max(minuteOf(from), this.store.oldestMinute);
    if (!(first <= last)) throw new QueryError('the time asked for lies outside of the last 24 hours');
    const width = stepMs === undefined ? last - first + 1 : Math.max(1, Math.round(stepMs / MINUTE_MS));
    return { first, last, width, count: Math.ceil((last - first + 1) / width) };
  }
}

/** A label that no series has would silently select nothing, or put everything together. */
function checkLabels({ family, series }: StoredFamily, asked: readonly string[]): void {
  if (asked.length === 0 || series.size === 0) return;
  const known = new Set([...series.values()].flatMap(({ labels }) => Object.keys(labels)));
  const unknown = asked.find((label) => !known.has(label));
  if (unknown === undefined) return;
  const labels = known.size === 0 ? 'it has no labels' : `it has ${[...known].join(', ')}`;
  throw new QueryError(`${family.name} has no label ${unknown}: ${labels}`);
}

/** Does a gauge still say how things are? */
export function isFresh(series: GaugeSeries, now: number): boolean {
  return Number.isFinite(series.last) && now - series.at <= STALE_MS;
}

function compute(stored: StoredFamily, series: StoredSeries, stat: Stat, steps: Steps): (number | null)[] {
  switch (stored.family.kind) {
    case 'counter':
      return counterSteps(series as CounterSeries[], stat, steps);
    case 'gauge':
      return gaugeSteps(series as GaugeSeries[], stat, stored.family.merge, steps);
    case 'histogram':
      return histogramSteps(series as HistogramSeries[], stat, steps);
  }
}

type StoredSeries = readonly (CounterSeries | GaugeSeries | HistogramSeries)[];

/** A rate of seconds per second has no unit; how many values there were has none of the values' either. */
function unitOf(unit: Unit, stat: Stat): Unit {
  if (stat === 'rate' && unit === 'seconds') return 'ratio';
  return stat === 'count' ? 'count' : unit;
}
