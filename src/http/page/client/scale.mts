/** A place in a chart's own space: 0 to 1 from left to right and from the bottom to the top. */
export interface Place {
  x: number;
  y: number;
}

export interface Series {
  /** ms since the epoch of the first point, and the width of a point. */
  from: number;
  stepMs: number;
  points: readonly (number | null)[];
}

/** The least round number that is not below; 1 for nothing. */
export function niceTop(greatest: number): number {
  if (!(greatest > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(greatest));
  const factor = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8].find((one) => one * power >= greatest * 0.999) ?? 10;
  return factor * power;
}

/** The middle in time of each point; a point that is still growing counts up to now. */
export function timeOf({ from, stepMs }: Series, index: number, to: number): number {
  const begin = from + index * stepMs;
  return (begin + Math.min(begin + stepMs, to)) / 2;
}

/** Runs of known points: what is not known leaves a gap. */
export function runsOf(series: Series, window: { from: number; to: number }, top: number): Place[][] {
  const runs: Place[][] = [];
  let run: Place[] = [];
  for (const [index, point] of series.points.entries()) {
    if (point === null) {
      if (run.length > 0) runs.push(run);
      run = [];
      continue;
    }
    const at = timeOf(series, index, window.to);
    run.push({ x: (at - window.from) / (window.to - window.from), y: point / top });
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

/** Index of the known point nearest to a share of the window, or -1. */
export function nearestPoint(series: Series, window: { from: number; to: number }, x: number): number {
  const at = window.from + x * (window.to - window.from);
  let best = -1;
  let least = Infinity;
  for (const [index, point] of series.points.entries()) {
    const distance = Math.abs(timeOf(series, index, window.to) - at);
    if (point !== null && distance < least) [best, least] = [index, distance];
  }
  return best;
}
