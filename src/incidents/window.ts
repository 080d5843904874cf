import type { Scope, Signal } from './types';

export interface FigureAt {
  labels: Readonly<Record<string, string>>;
  value: number;
}

export type Where = Readonly<Record<string, string | readonly string[]>>;

/** The metrics as rules ask for them. A metric that is not known, or was not measured, has no figures. Durations in ms. */
export interface Figures {
  /** One figure over the last `windowMs`, of all series that fit; null: nothing was measured. */
  figure(name: string, stat: string, windowMs: number, where?: Where): number | null;
  /** The same, one figure for each value of these labels. */
  figures(name: string, stat: string, windowMs: number, by: readonly string[], where?: Where): FigureAt[];
  /** What is the case now, each series by itself. */
  latest(name: string, where?: Where): FigureAt[];
}

/** The bot as the supervisor sees it at this moment. States as in `status`. */
export interface BotFacts {
  /** A cause that holds all clusters, or null. */
  fatal: string | null;
  gate: { gate: 'passing' | 'backing-off' | 'probing'; reason: string | null };
  identify: { budget: { total: number; remaining: number; reserve: number; resetAt: number } | null };
  clusters: readonly ClusterFacts[];
  shards: readonly ShardFacts[];
}

export interface ClusterFacts {
  id: number;
  state: string;
  uptimeMs: number | null;
  message: string | null;
  lastExit: string | null;
  sample: { rssBytes: number; heapUsedBytes: number; heapLimitBytes: number } | null;
}

export interface ShardFacts {
  id: number;
  cluster: number;
  state: string;
  guilds: number;
  /** Those of them that Discord has taken away for the time of an outage. */
  unavailableGuilds: number;
}

/** What a look at one thing has found: a server, a shard, a disk. */
export interface CheckFact {
  check: string;
  scope: Scope;
  /** Failed so often in a row that it counts. */
  failing: boolean;
  /** false: the check itself took too long, so what it looks at is not known. */
  answered: boolean;
  message: string;
}

/** Something that has happened in the bot. */
export type Occurrence =
  | { kind: 'crash'; at: number; cluster: number; reason: string }
  | { kind: 'hung'; at: number; cluster: number }
  /** Not by us, and not asked for by Discord. */
  | { kind: 'disconnect'; at: number; cluster: number; shard: number; closeCode: number | null };

/** All that rules look at. Times in ms since the epoch. */
export interface Window {
  now: number;
  metrics: Figures;
  /** null: there is no bot yet. */
  bot: BotFacts | null;
  checks: readonly CheckFact[];
  /** Of the last while, oldest first. */
  occurrences: readonly Occurrence[];
  /** Facts that hold. */
  signals: readonly Signal[];
}
