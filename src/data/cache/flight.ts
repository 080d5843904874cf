/** One way from a miss in L1 to a value, shared by all who ask meanwhile; or a write under way. */
export class Flight<T> {
  /** The key was written or deleted meanwhile: what this flight brings must not be kept. */
  superseded = false;
  promise: Promise<T | undefined> = Promise.resolve(undefined);

  /**
   * @param order where the region's log stood at the start
   * @param stamp the newest invalidation known at the start
   */
  constructor(
    readonly order: number,
    readonly stamp: number,
  ) {}
}
