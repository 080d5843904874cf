import type { MetricRange } from '../../../control/contract.js';
import { Chart, type ChartLine, type ChartText } from './chart.mjs';
import { byId } from './dom.mjs';
import { bytes, duration, figure } from './format.mjs';

interface LineSource {
  name?: string;
  metric: string;
  stat: string;
}

interface ChartSource extends ChartText {
  lines: readonly LineSource[];
}

interface Range {
  since: string;
  step: string;
  ms: number;
  refreshMs: number;
}

const perSecond = (n: number): string => `${figure(n)}/s`;
const perMinute = (n: number): string => `${figure(60 * n)}/min`;
const seconds = (n: number): string =>
  n >= 60 ? duration(n * 1_000) : n >= 1 ? `${figure(n)} s` : `${figure(n * 1_000)} ms`;

const CHARTS: readonly ChartSource[] = [
  { title: 'Gateway events', say: perSecond, lines: [{ metric: 'shard_events_total', stat: 'rate' }] },
  { title: 'Interactions', say: perSecond, lines: [{ metric: 'interactions_total', stat: 'rate' }] },
  {
    title: 'Response time',
    say: seconds,
    lines: [
      { name: 'p95', metric: 'interaction_response_seconds', stat: 'p95' },
      { name: 'p50', metric: 'interaction_response_seconds', stat: 'p50' },
    ],
  },
  {
    title: 'Errors',
    say: perMinute,
    lines: [
      { name: 'failed', metric: 'interaction_failures_total', stat: 'rate' },
      { name: 'unhandled', metric: 'unhandled_rejections_total', stat: 'rate' },
    ],
  },
  { title: 'REST calls', say: perSecond, lines: [{ metric: 'cluster_rest_requests_total', stat: 'rate' }] },
  { title: 'REST rate limits (429)', say: perMinute, lines: [{ metric: 'rest_rate_limited_total', stat: 'rate' }] },
  { title: 'Memory of all clusters', say: bytes, lines: [{ metric: 'cluster_resident_memory_bytes', stat: 'mean' }] },
  {
    title: 'Gateway ping',
    say: seconds,
    lines: [
      { name: 'mean', metric: 'shard_ping_seconds', stat: 'mean' },
      { name: 'worst', metric: 'shard_ping_seconds', stat: 'max' },
    ],
  },
];

const RANGES: Record<string, Range> = {
  '1h': { since: '1h', step: '1m', ms: 3_600_000, refreshMs: 15_000 },
  '24h': { since: '24h', step: '10m', ms: 86_400_000, refreshMs: 120_000 },
};
/** A bot that has just been started gets an axis that its first minutes do not get lost in. */
const LEAST_WINDOW_MS = 10 * 60_000;
const ANSWER_MS = 10_000;

/** The curves of the last hour or day, from the supervisor's metrics. */
export class Charts {
  readonly #charts = CHARTS.map((source) => ({ source, chart: new Chart(source) }));
  #range = '1h';
  #timer = 0;
  #round = 0;

  constructor() {
    byId('charts').append(...this.#charts.map(({ chart }) => chart.node));
    byId('ranges').addEventListener('change', ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return;
      this.#range = target.value;
      void this.#refresh();
    });
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) void this.#refresh();
    });
  }

  start(): void {
    if (this.#timer === 0) void this.#refresh();
  }

  /** One question after the other: the supervisor has better things to do than to compute all curves at once. */
  async #refresh(): Promise<void> {
    clearTimeout(this.#timer);
    const range = RANGES[this.#range];
    if (range === undefined || document.hidden) return;
    const round = ++this.#round;
    this.#timer = setTimeout(() => void this.#refresh(), range.refreshMs);
    for (const { source, chart } of this.#charts) {
      const answers: (MetricRange | null)[] = [];
      for (const line of source.lines) answers.push(await ask(line, range));
      if (round !== this.#round) return; // another range was chosen meanwhile
      if (answers.some((answer) => answer !== null)) draw(chart, source, answers, range);
    }
  }
}

function draw(chart: Chart, { lines }: ChartSource, answers: readonly (MetricRange | null)[], { ms }: Range): void {
  const to = Math.max(...answers.map((answer) => answer?.to ?? 0));
  const begin = Math.min(...answers.map((answer) => answer?.from ?? Infinity));
  const from = Math.max(to - ms, Math.min(begin, to - LEAST_WINDOW_MS));
  chart.draw(
    lines.map(({ name = '' }, index): ChartLine => {
      const answer = answers[index] ?? null;
      const series = answer?.series[0];
      if (answer === null || series === undefined) return { name, overall: null, series: null };
      return {
        name,
        overall: series.value,
        series: { from: answer.from, stepMs: answer.stepMs, points: series.points },
      };
    }),
    { from, to },
  );
}

/** null: the supervisor does not answer; what is drawn stays as it is. */
async function ask({ metric, stat }: LineSource, { since, step }: Range): Promise<MetricRange | null> {
  const query = new URLSearchParams({ name: metric, stat, since, step, by: '' });
  try {
    const response = await fetch(`/api/metrics?${query.toString()}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return response.ok ? ((await response.json()) as MetricRange) : null;
  } catch {
    return null;
  }
}
