/**
 * Time that passes as evenly as the looks do: a clock that is set, or a machine that slept, adds no more than a moment. By
 * it durations are measured, so that a jump neither opens nor resolves anything.
 */
export class SteadyTime {
  #last: number | null = null;
  #steady = 0;

  /** @param longestMs more cannot have passed between two looks */
  constructor(private readonly longestMs: number) {}

  /** @returns ms that have passed since the first look */
  advance(now: number): number {
    const passed = this.#last === null ? 0 : now - this.#last;
    this.#steady += Math.min(Math.max(0, passed), this.longestMs);
    this.#last = now;
    return this.#steady;
  }
}
