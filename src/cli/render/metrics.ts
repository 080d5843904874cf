import type { MetricList, MetricRange } from '../../control/contract';
import { renderColumns } from './columns';
import { formatBytes, formatCount, formatDuration, formatPlural, plainText } from './format';
import { sparkline } from './sparkline';
import { Style, visibleWidth, type StyleOptions } from './style';

interface MetricsView extends StyleOptions {
  width: number;
}

const MIN_CURVE = 10;
const GAP = '  ';

/** What there is to be asked for. */
export function renderMetricList({ metrics }: MetricList, { width, ...styling }: MetricsView): string {
  const style = new Style(styling);
  const lines = renderColumns(
    metrics,
    [
      { title: 'METRIC', rank: 9, value: ({ name }) => name },
      { title: 'KIND', rank: 2, value: ({ kind }) => kind },
      { title: 'SERIES', rank: 3, align: 'right', value: ({ series }) => formatCount(series) },
      { title: 'BY', rank: 4, value: ({ labels }) => labels.map(plainText).join(', ') },
      { title: 'WHAT IT IS', rank: 1, value: ({ help }) => help },
    ],
    width,
    (text) => style.paint('quiet', text),
  );
  return `${lines.join('\n')}\n\nLook at one: botctl metrics NAME --since 1h\n`;
}

/** One line per series: its labels, its value over the whole time, and its curve. */
export function renderMetric(whole: MetricRange, { width, ...styling }: MetricsView): string {
  const style = new Style(styling);
  const { name, help, stat, unit, kind, from, to, stepMs, series, total } = sinceFirstValue(whole);
  const say = (value: number | null): string => formatValue(value, unit, stat);
  const title = `${style.paint('strong', name)}, ${describe(stat, kind)}, ${clock(from)} to ${clock(to)}`;
  const lines = [title, style.paint('quiet', `${help} One point: ${formatDuration(stepMs)}.`), ''];
  if (series.length === 0) return [...lines, 'No series fits.', ''].join('\n');

  const rows = series.map(({ labels, value, points }) => {
    const known = points.filter((point) => point !== null);
    return {
      label:
        plainText(
          Object.entries(labels)
            .map(([label, text]) => `${label} ${text}`)
            .join(', '),
        ) || 'all',
      value: say(value),
      low: say(known.length === 0 ? null : known.reduce((a, b) => Math.min(a, b))),
      high: say(known.length === 0 ? null : known.reduce((a, b) => Math.max(a, b))),
      now: say(points.at(-1) ?? null),
      points,
    };
  });
  const widest = (of: (row: (typeof rows)[number]) => string, least: string): number => {
    return Math.max(least.length, ...rows.map((row) => visibleWidth(of(row))));
  };
  const columns = [
    { title: 'SERIES', of: (row: (typeof rows)[number]) => row.label, left: true },
    { title: stat.toUpperCase(), of: (row: (typeof rows)[number]) => row.value, left: false },
    { title: 'LOW', of: (row: (typeof rows)[number]) => row.low, left: false },
    { title: 'HIGH', of: (row: (typeof rows)[number]) => row.high, left: false },
    { title: 'NOW', of: (row: (typeof rows)[number]) => row.now, left: false },
  ].map((column) => ({ ...column, size: widest(column.of, column.title) }));
  const taken = columns.reduce((sum, { size }) => sum + size + GAP.length, 0);
  const curve = Math.max(MIN_CURVE, width - taken);
  const cell = (text: string, size: number, left: boolean): string => {
    const space = ' '.repeat(Math.max(0, size - visibleWidth(text)));
    return left ? text + space : space + text;
  };
  const head = columns.map((column) => cell(column.title, column.size, column.left)).join(GAP);
  lines.push(style.paint('quiet', head));
  for (const row of rows) {
    const text = columns.map(({ of, size, left }) => cell(of(row), size, left)).join(GAP);
    lines.push(`${text}${GAP}${sparkline(row.points, curve, styling.unicode)}`.trimEnd());
  }
  if (total > series.length) {
    lines.push('', style.paint('quiet', `and ${formatPlural(total - series.length, 'series', 'series')} more: --top`));
  }
  return `${lines.join('\n')}\n`;
}

/** The store may be younger than the time asked for: a curve does not begin with a void. */
function sinceFirstValue(range: MetricRange): MetricRange {
  const { series, from, stepMs } = range;
  const firsts = series.map(({ points }) => points.findIndex((point) => point !== null)).filter((at) => at >= 0);
  const first = firsts.length === 0 ? 0 : Math.min(...firsts);
  return {
    ...range,
    from: from + first * stepMs,
    series: series.map((one) => ({ ...one, points: one.points.slice(first) })),
  };
}

function describe(stat: string, kind: MetricRange['kind']): string {
  if (stat === 'rate') return 'per second';
  if (kind === 'histogram' && stat === 'count') return 'number of values';
  return stat;
}

/** Values with their unit, as people read them. */
export function formatValue(value: number | null, unit: MetricRange['unit'], stat: string): string {
  if (value === null) return '–';
  const each = stat === 'rate' ? '/s' : '';
  if (unit === 'bytes') return `${formatBytes(value)}${each}`;
  if (unit === 'seconds') return formatSeconds(value);
  if (unit === 'ratio') return `${(value * 100).toFixed(1)} %`;
  return `${formatNumber(value)}${each}`;
}

function formatSeconds(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.1) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 60) return seconds < 1 ? `${Math.round(seconds * 1e3)} ms` : `${seconds.toFixed(1)} s`;
  return formatDuration(seconds * 1e3);
}

function formatNumber(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1_000) return formatCount(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function clock(at: number): string {
  return new Date(at).toTimeString().slice(0, 5);
}
