/** How far a bot came that was booted only to see whether it boots. */
export interface PreflightResult {
  /** gateway: it would have connected, past our hook (a bundled discord.js, another library). */
  reached: 'login' | 'gateway' | 'sharding-manager';
  discordJs: string | null;
}

/** Set for a bot that is booted only for that; it ends when it calls `login()`. */
export const PREFLIGHT_MARK = 'BOTCTL_PREFLIGHT';
