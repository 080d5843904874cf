/** How a cluster's process is made. */
export interface BotSpec {
  execPath: string;
  /** Everything after the node binary: its options, the entry, the entry's arguments. */
  args: readonly string[];
  cwd: string;
  /** Environment that may be seen in /proc. */
  env: NodeJS.ProcessEnv;
  /** Environment that may not; handed over in the boot record. */
  secretEnv: Record<string, string>;
  /** Name of the release that this runs; unique among the specs in use at one time. */
  release: string;
  /** Changes when processes would have to be started differently. */
  fingerprint: string;
}
