/** What can be done inside a transaction. */
export interface DeferTransaction {
  query(text: string, params?: unknown[]): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
}

/** The databases, as the queue needs them. */
export interface DeferTarget {
  /**
   * Runs fn in one transaction on the guild's database shard.
   * @throws DataError, where `outcomeUnknown` may be true, or pg's DatabaseError for what the SQL is at fault for
   */
  transaction<T>(guildId: bigint, fn: (tx: DeferTransaction) => Promise<T>): Promise<T>;
  /** The shard that the guild is on at present: a dead one must not hold up the others. */
  shardOf(guildId: bigint): number;
}
