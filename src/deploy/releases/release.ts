/** The name of what runs from its own folder, not from a release. */
export const LIVE = 'live';

/** An immutable copy of the bot's code. Its files are in `app` beside its record. */
export interface Release {
  /** From the content: the same code gives the same id. */
  id: string;
  /** ms since the epoch. */
  createdAt: number;
  source: { kind: 'folder'; path: string } | { kind: 'git'; ref: string; commit: string; subject: string };
  /** The build command, or null. */
  build: string | null;
  /** The file that logs in, below the release's root. */
  entry: string;
  /** Working folder below the release's root; null: as in the config, which is outside of what was copied. */
  cwd: string | null;
  /** `version` of package.json. */
  version: string | null;
  node: string;
  /** When the latest of its own files was last changed, ms since the epoch. */
  changedAt: number;
  files: number;
  /** What it takes on disk beyond what it shares, as far as known, bytes. */
  bytes: number;
  /** Hash of all of it, to see later that it is still whole. */
  digest: string;
}

/** Which releases `start` uses, and which one `rollback` goes back to. */
export interface CurrentRelease {
  current: string;
  previous: string | null;
  /** Since when, ms since the epoch. */
  since: number;
}
