import type { Labels } from '../ipc/readings';
import type { AnySeries, StoredFamily } from './store';

export type Where = Readonly<Record<string, string | readonly string[]>>;

export interface Group {
  labels: Labels;
  series: AnySeries[];
}

/** The series that fit, put together by the labels in `by`; absent: each by itself. */
export function groupSeries(
  { series }: Pick<StoredFamily, 'series'>,
  where: Where,
  by: readonly string[] | undefined,
): Group[] {
  const groups = new Map<string, Group>();
  const conditions = Object.entries(where).map(([label, value]) => {
    return [label, new Set(typeof value === 'string' ? [value] : value)] as const;
  });
  let index = 0;
  for (const one of series.values()) {
    if (!conditions.every(([label, values]) => values.has(one.labels[label] ?? ''))) continue;
    const key = by === undefined ? String(index++) : by.map((label) => one.labels[label] ?? '').join('\n');
    const group = groups.get(key);
    if (group === undefined)
      groups.set(key, { labels: by === undefined ? one.labels : pick(one.labels, by), series: [one] });
    else group.series.push(one);
  }
  return [...groups.values()].sort((a, b) => compareLabels(a.labels, b.labels));
}

function pick(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(names.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]])));
}

/** Shard 2 comes before shard 10. */
function compareLabels(one: Labels, other: Labels): number {
  for (const name of Object.keys(one)) {
    const order = (one[name] ?? '').localeCompare(other[name] ?? '', 'en', { numeric: true });
    if (order !== 0) return order;
  }
  return 0;
}
