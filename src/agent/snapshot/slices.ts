/** Longest stretch of work without giving the event loop a turn, ms. */
export const SLICE_MS = 8;

/** Cuts long work into time slices, so that heartbeats and events are served in between. */
export class Slices {
  #startedAt: number;

  constructor(
    private readonly budgetMs = SLICE_MS,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#startedAt = now();
  }

  /** True when the current slice is used up and `pause` should be awaited. Cheap: meant for inner loops. */
  get over(): boolean {
    return this.now() - this.#startedAt >= this.budgetMs;
  }

  /** Lets the event loop turn once, then begins a new slice. */
  async pause(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#startedAt = this.now();
  }
}
