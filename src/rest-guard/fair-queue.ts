import type { Priority } from './route';

export interface Queued {
  cluster: string;
  priority: Priority;
}

/** First in, first out, with removal from anywhere: a Set keeps the order of insertion. */
type Lane<T> = Set<T>;

/** After so many `normal` requests in a row one `bulk` request has its turn, so that it cannot starve. */
const NORMAL_PER_BULK = 4;

/** Orders waiting requests: by priority, then in turn between clusters, then by age. Every operation takes constant time. */
export class FairQueue<T extends Queued> {
  readonly #levels: Record<Priority, Map<string, Lane<T>>> = {
    interaction: new Map(),
    normal: new Map(),
    bulk: new Map(),
  };
  #size = 0;
  #normalInARow = 0;

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    const clusters = this.#levels[item.priority];
    let lane = clusters.get(item.cluster);
    if (lane === undefined) clusters.set(item.cluster, (lane = new Set()));
    lane.add(item);
    this.#size++;
  }

  /** False when it was not in here. */
  delete(item: T): boolean {
    const clusters = this.#levels[item.priority];
    const lane = clusters.get(item.cluster);
    if (lane?.delete(item) !== true) return false;
    if (lane.size === 0) clusters.delete(item.cluster);
    this.#size--;
    return true;
  }

  /** Takes out who is next. */
  take(): T | null {
    const level = this.#nextLevel();
    if (level === null) return null;
    const clusters = this.#levels[level];
    for (const [cluster, lane] of clusters) {
      for (const item of lane) {
        lane.delete(item);
        // Whoever had its turn goes to the end of the line.
        clusters.delete(cluster);
        if (lane.size > 0) clusters.set(cluster, lane);
        this.#size--;
        return item;
      }
    }
    return null;
  }

  #nextLevel(): Priority | null {
    const { interaction, normal, bulk } = this.#levels;
    if (interaction.size > 0) return 'interaction';
    const bulkIsDue = bulk.size > 0 && (normal.size === 0 || this.#normalInARow >= NORMAL_PER_BULK);
    if (bulkIsDue) {
      this.#normalInARow = 0;
      return 'bulk';
    }
    if (normal.size === 0) return null;
    this.#normalInARow++;
    return 'normal';
  }
}
