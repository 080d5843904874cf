import type { QueryResult } from 'pg';

/** Runs SQL on one guild's database shard. */
export interface GuildConnection {
  /** Number of the database shard. */
  readonly shard: number;
  query<R = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Rows<R>>;
}

/** Runs SQL on one database shard, over all its guilds. */
export type ShardConnection = GuildConnection;

export interface Rows<R = Record<string, unknown>> extends Omit<QueryResult, 'rows'> {
  rows: R[];
}
