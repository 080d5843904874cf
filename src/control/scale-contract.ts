import type { Progress } from './progress';

/** At least one of the first three; not both kinds of clusters. */
export interface ScaleRequest {
  /** Shards in all, over all clusters. */
  shards?: number;
  clusters?: number;
  shardsPerCluster?: number;
  /** Stop the old clusters before the new ones start. */
  cold: boolean;
  /** Only say what would be done. */
  dryRun: boolean;
  /** Go on although a check says no. */
  force: boolean;
}

export interface ScaleHandlers {
  /** POST /v1/scale: groups the shards into other clusters; progress until it is over. */
  scale(request: ScaleRequest, onProgress: (line: Progress) => void): Promise<void>;
}
