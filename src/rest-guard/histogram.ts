/** Upper bounds, ms; the last bucket takes the rest. */
const BOUNDS = [
  0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000, 10_000, 30_000,
  60_000, 120_000,
];
/** Percentiles are those of the last one to two of this time, ms. */
const TURN_MS = 60_000;

export interface HistogramSnapshot {
  /** Since the guard's start, for a scrape: observations up to each bound, then their count and sum. */
  bounds: readonly number[];
  cumulative: number[];
  count: number;
  sumMs: number;
  /** Of the last minute or two, upper bounds; null: there was none. */
  p50: number | null;
  p99: number | null;
}

/** Durations, counted in fixed buckets: the memory does not grow. */
export class Histogram {
  readonly #all = zeros();
  #recent = zeros();
  #before = zeros();
  #turnedAt = 0;
  #sum = 0;
  #count = 0;

  add(ms: number, now: number): void {
    this.#turn(now);
    let at = 0;
    while (at < BOUNDS.length && ms > (BOUNDS[at] ?? 0)) at++;
    this.#all[at] = (this.#all[at] ?? 0) + 1;
    this.#recent[at] = (this.#recent[at] ?? 0) + 1;
    this.#sum += ms;
    this.#count++;
  }

  snapshot(now: number): HistogramSnapshot {
    this.#turn(now);
    const recent = this.#recent.map((count, at) => count + (this.#before[at] ?? 0));
    let sum = 0;
    return {
      bounds: BOUNDS,
      cumulative: this.#all.slice(0, BOUNDS.length).map((count) => (sum += count)),
      count: this.#count,
      sumMs: Math.round(this.#sum),
      p50: percentile(recent, 0.5),
      p99: percentile(recent, 0.99),
    };
  }

  #turn(now: number): void {
    if (now - this.#turnedAt < TURN_MS) return;
    this.#before = now - this.#turnedAt < 2 * TURN_MS ? this.#recent : zeros();
    this.#recent = zeros();
    this.#turnedAt = now;
  }
}

function zeros(): number[] {
  return new Array<number>(BOUNDS.length + 1).fill(0);
}

function percentile(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let seen = 0;
  for (const [at, count] of counts.entries()) {
    seen += count;
    if (seen >= share * total) return BOUNDS[at] ?? BOUNDS.at(-1) ?? 0;
  }
  return BOUNDS.at(-1) ?? 0;
}
