/** What recovery may ask of a cluster's process. Done twice it does no harm. */
export type Remedy =
  /** The bot's `onMemoryPressure` handlers, the SDK's cache in memory, old messages in discord.js's cache. */
  { kind: 'drop-caches' } | { kind: 'collect-garbage' } | DataRemedy;

/** Remedies that the SDK carries out, in a bot that uses its databases. */
export type DataRemedy =
  /** New connections to a database shard, or to all (null). Those in use end when they are given back. */
  | { kind: 'recycle-pool'; database: number | null }
  /** So many times the configured connections, until told otherwise. */
  | { kind: 'scale-pool'; database: number | null; factor: number }
  | { kind: 'recycle-redis' }
  /** Writes that wait on disk are tried at once. */
  | { kind: 'replay-deferred' };

export interface RemedyOutcome {
  ok: boolean;
  /** One sentence without its subject: `3 handlers called, heap 812 MB -> 310 MB`. */
  text: string;
}

/** Something that the bot depends on does not serve at the moment: `db:2`, `redis`, `rest:POST /channels/:id/messages`, `discord`. */
export interface Degradation {
  name: string;
  /** One sentence. */
  reason: string;
}
