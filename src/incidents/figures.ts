import { QueryError, STATS, type MetricQueries, type Stat } from '../metrics';
import type { FigureAt, Figures } from './window';

/** The rules' view of the metrics store. What it does not know has no figures: a bot's metric may still come. */
export function metricFigures(queries: MetricQueries, now: () => number): Figures {
  return {
    figure: (name, stat, windowMs, where = {}) =>
      known(() => queries.figure(name, statOf(stat), windowMs, where)) ?? null,
    figures: (name, stat, windowMs, by, where = {}) => {
      const at = now();
      const from = at - windowMs + MINUTE_MS;
      const asked = STATS.find((one) => one === stat);
      const result = known(() => {
        return queries.range({ name, where, by, from, to: at, ...(asked !== undefined && { stat: asked }) });
      });
      return (result?.series ?? []).flatMap(({ labels, value }): FigureAt[] =>
        value === null ? [] : [{ labels, value }],
      );
    },
    latest: (name, where = {}) => known(() => queries.latest(name, where)) ?? [],
  };
}

const MINUTE_MS = 60_000;

function statOf(stat: string): Stat {
  const known = STATS.find((one) => one === stat);
  if (known === undefined) throw new QueryError(`there is no statistic ${stat}`);
  return known;
}

function known<T>(ask: () => T): T | null {
  try {
    return ask();
  } catch (error) {
    if (error instanceof QueryError) return null;
    throw error;
  }
}
