/** One way from a miss in L1 to a value, shared by all who ask meanwhile; or a write under way. */
export class Flight<T> {
  /** The key was written or deleted meanwhile: what this flight brings must not be kept. */
  superseded = false;
  #outcome: Promise<T | undefined> | (() => Promise<T | undefined>) = Promise.resolve(undefined);

  /**
   * @param order where the region's log stood at the start
   * @param stamp the newest invalidation known at the start
   */
  constructor(
    readonly order: number,
    readonly stamp: number,
  ) {}

  /** @param outcome a function where most flights are never joined: it is called for the first who does */
  leadsTo(outcome: Promise<T | undefined> | (() => Promise<T | undefined>)): void {
    this.#outcome = outcome;
  }

  join(): Promise<T | undefined> {
    if (typeof this.#outcome === 'function') this.#outcome = this.#outcome();
    return this.#outcome;
  }
}
