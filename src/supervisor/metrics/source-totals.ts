import type { Fact, Metrics } from '../../metrics';

/** Adds up what a process tells as totals since its own start: only what is new is counted, also when another follows it. */
export class SourceTotals {
  #source: string | null = null;
  #last = new Map<string, number>();

  /** @param since from when on this supervisor counts: what an older process had counted by then was told to another one */
  constructor(
    private readonly metrics: Pick<Metrics, 'count'>,
    private readonly since: number,
  ) {}

  /** @param startedAt of the process, ms since the epoch: tells it from the one before it */
  take(process: { pid: number; startedAt: number }, facts: readonly Fact[]): void {
    const source = `${process.pid}@${process.startedAt}`;
    const isBaseline = source !== this.#source && process.startedAt < this.since;
    if (source !== this.#source) this.#last = new Map();
    this.#source = source;
    for (const { name, labels, value } of facts) {
      const key = JSON.stringify([name, labels]);
      const before = this.#last.get(key) ?? (isBaseline ? value : 0);
      this.metrics.count(name, labels, Math.max(0, value - before));
      this.#last.set(key, value);
    }
  }
}
