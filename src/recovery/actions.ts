import type { Remedy } from '../ipc/remedies';

/** What came of a step. `text` is one sentence without its subject. */
export interface StepOutcome {
  ok: boolean;
  text: string;
}

/** What recovery can do to the rest of botctl. Nothing in here rejects. */
export interface RecoveryActions {
  /** Reconnects a shard by RESUME. */
  reconnectShard(shard: number): Promise<StepOutcome>;
  /** Puts a fresh process in the place of the cluster's own, sessions and all. Resolves when it is settled. */
  replaceCluster(cluster: number): Promise<StepOutcome>;
  /** Has something done in these clusters; all of them when none is named. */
  remedy(remedy: Remedy, clusters?: readonly number[]): Promise<StepOutcome>;
  /** Looks at a server at once; one of our own that does not answer is started again. */
  reviveServer(server: 'postgres' | 'redis'): Promise<StepOutcome>;
  /** More connections to a database shard (null: to all), as far as the servers allow. */
  addConnections(database: number | null): Promise<StepOutcome>;
  /** REST calls at this share of Discord's limit, for so long, ms. */
  slowRest(share: number, forMs: number): Promise<StepOutcome>;
  /** Nothing is restarted that can wait, so that no identify is spent on it, for so long, ms. */
  saveIdentifies(forMs: number): Promise<StepOutcome>;
  /** Deletes of our own files what nobody needs. */
  prune(): Promise<StepOutcome>;
}
