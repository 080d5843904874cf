/** What a check of the bot's, registered with the SDK, found last. */
export interface BotCheckSample {
  name: string;
  ok: boolean | null;
  message: string;
  /** When it was found, ms since the epoch; null: it has not run yet. */
  at: number | null;
  intervalMs: number;
  timeoutMs: number;
}
