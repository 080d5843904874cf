/*
 * The buckets into which agent and supervisor sort what they measure. Fixed, so that counts of different processes and
 * minutes merge by addition and a process's counts since its start can be subtracted; and with plain decimals as bounds,
 * so that the buckets of Prometheus (0.005, 0.01, 0.025, …) come out exactly.
 */

/** Bounds in each decade: within 6 % of a value there is one. */
const STEPS: readonly number[] = [
  ...range(100, 200, 10), // 1.0, 1.1, …, 1.9
  ...range(200, 500, 25), // 2.0, 2.25, …, 4.75
  ...range(500, 1_000, 50), // 5.0, 5.5, …, 9.5
];
export const BUCKETS_PER_DECADE = STEPS.length;

const FIRST_EXPONENT = -6;
const LAST_EXPONENT = 9;

/** Upper bounds, inclusive: bucket i holds values in (BOUNDS[i - 1], BOUNDS[i]], the first one all that is smaller. */
export const BOUNDS: Float64Array = Float64Array.from([
  ...range(FIRST_EXPONENT, LAST_EXPONENT, 1).flatMap((exponent) => {
    return STEPS.map((step) => Number(`${step}e${exponent - 2}`));
  }),
  Number(`1e${LAST_EXPONENT}`),
]);

/** Buckets in all; the last one holds what is above every bound. */
export const BUCKETS = BOUNDS.length + 1;

/** The bucket of a value. NaN has none: -1. */
export function bucketOf(value: number): number {
  if (Number.isNaN(value)) return -1;
  let low = 0;
  let high = BOUNDS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (value <= (BOUNDS[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What to take for a value of which only the bucket is known: it is off by the same share at both ends. */
export function bucketValue(index: number): number {
  const low = index === 0 ? 0 : (BOUNDS[index - 1] ?? 0);
  const high = BOUNDS[index] ?? low;
  return low + high === 0 ? 0 : (2 * low * high) / (low + high);
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.round((to - from) / step) }, (_, index) => from + index * step);
}
