/** A guild id as text or number; never a JavaScript number, which is too short for it. */
export type GuildId = bigint | string;

/** Where a key's row is. */
export interface Place {
  /** The guild whose database shard holds it; without one the key decides. */
  guildId?: GuildId;
}

export type Level3Read<T> =
  | { found: true; value: T; tags: readonly string[]; /** ms it still lives, null: for ever. */ leftMs: number | null }
  | { found: false; /** To be handed to `fill`. */ token: string };

/** The durable level. Each method rejects when it cannot do what it says. */
export interface Level3<T> {
  read(key: string, place: Place): Promise<Level3Read<T>>;
  /** In the order of the keys. */
  readMany?(keys: readonly string[], place: Place): Promise<Level3Read<T>[]>;
  /** What a write says counts, whatever was there. */
  write(key: string, value: T, tags: readonly string[], place: Place): Promise<void>;
  /** Keeps what was loaded since the read that gave the token, unless the key was written or deleted meanwhile. */
  fill(key: string, value: T, tags: readonly string[], token: string, place: Place): Promise<void>;
  delete(key: string, place: Place): Promise<void>;
  deletePrefix(prefix: string): Promise<void>;
  deleteTag(tag: string): Promise<void>;
  clear(): Promise<void>;
}
