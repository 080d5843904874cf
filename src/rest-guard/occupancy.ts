/** Who waits, counted by cluster: one that floods must not take the room of all. */
export class Occupancy {
  readonly #clusters = new Map<string, number>();
  #total = 0;

  constructor(private readonly max: number) {}

  get total(): number {
    return this.#total;
  }

  /** Clusters that have a request waiting. */
  get clusters(): number {
    return this.#clusters.size;
  }

  /** False when there is no room. From half full on, each cluster has its even share only. */
  enter(cluster: string): boolean {
    if (this.#total >= this.max) return false;
    const own = this.#clusters.get(cluster) ?? 0;
    if (this.#total >= this.max / 2) {
      const clusters = this.#clusters.size + (own === 0 ? 1 : 0);
      if (own >= this.max / clusters) return false;
    }
    this.#clusters.set(cluster, own + 1);
    this.#total++;
    return true;
  }

  leave(cluster: string): void {
    const left = (this.#clusters.get(cluster) ?? 0) - 1;
    if (left > 0) this.#clusters.set(cluster, left);
    else this.#clusters.delete(cluster);
    this.#total--;
  }
}
