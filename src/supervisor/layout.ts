import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileWhole } from '../deploy/write-file';
import { planClusters, type ClusterPlan, type ShardPlan, type ShardRange } from '../sharding/plan';

/** Clusters as an operator has scaled them, away from what the config says. */
export interface Layout {
  totalShards: number;
  /** `sharding.shardsPerCluster` at that time: when it is changed, the config counts again. */
  shardsPerCluster: number;
  clusters: ClusterPlan[];
}

/** The layout that the next supervisor starts from; no file: that of the config. */
export class LayoutFile {
  readonly #file: string;

  constructor(stateDir: string) {
    this.#file = join(stateDir, 'layout.json');
  }

  /** null also when it cannot be read: then the config counts. */
  read(): Layout | null {
    try {
      const layout = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Layout>;
      return Array.isArray(layout.clusters) ? (layout as Layout) : null;
    } catch {
      return null;
    }
  }

  /** @throws what the file system throws */
  write(layout: Layout): void {
    writeFileWhole(this.#file, JSON.stringify(layout));
  }

  clear(): void {
    rmSync(this.#file, { force: true });
  }
}

/** The clusters to start with: those of the layout, if it is of these shards and of this config. Pure. */
export function startingPlan(layout: Layout | null, range: ShardRange, shardsPerCluster: number): ShardPlan {
  const { totalShards } = range;
  if (layout !== null && layout.totalShards === totalShards && layout.shardsPerCluster === shardsPerCluster) {
    const { clusters } = layout;
    const covered = clusters.flatMap(({ shardIds }) => shardIds);
    if (sorted(covered).join() === sorted(range.shardIds).join()) return { totalShards, clusters };
  }
  return planClusters(range, shardsPerCluster);
}

export function sameClusters(a: readonly ClusterPlan[], b: readonly ClusterPlan[]): boolean {
  const key = (clusters: readonly ClusterPlan[]): string => {
    return JSON.stringify(clusters.map(({ id, shardIds }) => [id, shardIds]));
  };
  return key(a) === key(b);
}

function sorted(ids: readonly number[]): number[] {
  return [...ids].sort((a, b) => a - b);
}
