import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config';
import { writeFileWhole } from '../../deploy/write-file';
import type { ClusterPlan, ShardPlan } from '../../sharding/plan';

type Configured = Pick<Config['sharding'], 'totalShards' | 'shardsPerCluster'>;

/** Clusters as an operator has scaled them, away from what the config says. */
export interface Layout {
  totalShards: number;
  /** These settings of `sharding` at that time: when one is changed, the config counts again. */
  configured: Configured;
  clusters: readonly ClusterPlan[];
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
      const valid = Array.isArray(layout.clusters) && typeof layout.configured === 'object';
      return valid ? (layout as Layout) : null;
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

/**
 * The layout that holds for this config, if it is of all shards of its number or of those of this host. Pure.
 * @param own Shards of this host; absent: all
 */
export function layoutFor(
  layout: Layout | null,
  { totalShards, shardsPerCluster }: Configured,
  own?: readonly number[],
): ShardPlan | null {
  if (layout?.configured.totalShards !== totalShards) return null;
  if (layout.configured.shardsPerCluster !== shardsPerCluster) return null;
  const wanted = own ?? Array.from({ length: layout.totalShards }, (_, id) => id);
  const covered = layout.clusters.flatMap(({ shardIds }) => shardIds);
  if (sorted(covered).join() !== sorted(wanted).join()) return null;
  return { totalShards: layout.totalShards, clusters: layout.clusters };
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
