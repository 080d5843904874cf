import { bucketValue } from '../../ipc/bucket-scale';
import type { WindowFacts } from './compare';

/** What a cluster has done so far. Counters never go back; gauges are those of its latest report. */
export interface ClusterTotals {
  requests: number;
  failures: number;
  unhandledRejections: number;
  restCalls: number;
  restFailures: number;
  /** How many responses took so long, by bucket of ipc/bucket-scale.ts, seconds. */
  latency: ReadonlyMap<number, number>;
  /** Resident, bytes; null: not reported yet. */
  memoryBytes: number | null;
  loopDelayP99Ms: number | null;
}

export type ReadTotals = (cluster: number) => ClusterTotals;

interface Seen {
  begin: ClusterTotals;
  /** The first that was reported in the window, bytes. */
  memoryAtBegin: number | null;
  loopDelays: number[];
}

const LATENCY_QUANTILE = 0.95;

/** What some clusters do from its making on. */
export class Window {
  readonly #seen: ReadonlyMap<number, Seen>;

  constructor(
    private readonly read: ReadTotals,
    clusters: readonly number[],
  ) {
    this.#seen = new Map(
      clusters.map((id) => {
        const begin = read(id);
        return [id, { begin, memoryAtBegin: begin.memoryBytes, loopDelays: [] }];
      }),
    );
  }

  /** To be called with every look: gauges are seen only then. */
  observe(): void {
    for (const [id, seen] of this.#seen) {
      const { memoryBytes, loopDelayP99Ms } = this.read(id);
      seen.memoryAtBegin ??= memoryBytes;
      if (loopDelayP99Ms !== null) seen.loopDelays.push(loopDelayP99Ms);
    }
  }

  /** The window so far, of some of its clusters. */
  facts(clusters: readonly number[]): WindowFacts {
    const parts = clusters.flatMap((id) => {
      const seen = this.#seen.get(id);
      return seen === undefined ? [] : [{ seen, now: this.read(id) }];
    });
    const sum = (key: CounterKey): number => parts.reduce((all, { seen, now }) => all + now[key] - seen.begin[key], 0);
    const latency = new Map<number, number>();
    for (const { seen, now } of parts) addIncrease(latency, now.latency, seen.begin.latency);
    const growths = parts.map(({ seen, now }) => (now.memoryBytes ?? 0) - (seen.memoryAtBegin ?? now.memoryBytes ?? 0));
    const delays = parts.flatMap(({ seen }) => median(seen.loopDelays) ?? []);
    return {
      clusters: parts.length,
      requests: sum('requests'),
      failures: sum('failures'),
      unhandledRejections: sum('unhandledRejections'),
      restCalls: sum('restCalls'),
      restFailures: sum('restFailures'),
      latencyP95: quantile(latency, LATENCY_QUANTILE),
      latencyCount: countOf(latency),
      memoryGrowth: Math.max(0, ...growths),
      memory: Math.max(0, ...parts.map(({ now }) => now.memoryBytes ?? 0)),
      loopDelayP99Ms: delays.length === 0 ? null : Math.max(...delays),
    };
  }
}

type CounterKey = 'requests' | 'failures' | 'unhandledRejections' | 'restCalls' | 'restFailures';

function addIncrease(
  into: Map<number, number>,
  now: ReadonlyMap<number, number>,
  begin: ReadonlyMap<number, number>,
): void {
  for (const [bucket, count] of now) {
    const increase = count - (begin.get(bucket) ?? 0);
    if (increase > 0) into.set(bucket, (into.get(bucket) ?? 0) + increase);
  }
}

function countOf(counts: ReadonlyMap<number, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function quantile(counts: ReadonlyMap<number, number>, share: number): number | null {
  const rank = Math.max(1, Math.ceil(share * countOf(counts)));
  let seen = 0;
  for (const [bucket, count] of [...counts].sort(([a], [b]) => a - b)) {
    seen += count;
    if (seen >= rank) return bucketValue(bucket);
  }
  return null;
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
