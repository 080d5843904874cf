const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS = ['_', '.', '-', '=', '+', '*', '%', '#'];

/** A curve in one line, from 0 (or the least value, if it is below) to the greatest; what is not known is blank. */
export function sparkline(points: readonly (number | null)[], width: number, unicode: boolean): string {
  const bars = unicode ? BARS : ASCII_BARS;
  const shown = fit(points, width);
  const known = shown.filter((point) => point !== null);
  const low = Math.min(0, ...known);
  const span = Math.max(0, ...known) - low;
  return shown
    .map((point) => {
      if (point === null) return ' ';
      const level = span === 0 ? 0 : Math.round(((point - low) / span) * (bars.length - 1));
      return bars[level] ?? ' ';
    })
    .join('');
}

/** Neighbours become one where there are more points than columns: the mean of those that are known. */
function fit(points: readonly (number | null)[], width: number): (number | null)[] {
  if (points.length <= width) return [...points];
  return Array.from({ length: width }, (_, column) => {
    const from = Math.floor((column * points.length) / width);
    const to = Math.max(from + 1, Math.floor(((column + 1) * points.length) / width));
    const known = points.slice(from, to).filter((point) => point !== null);
    return known.length === 0 ? null : known.reduce((a, b) => a + b) / known.length;
  });
}
