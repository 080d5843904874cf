/** What the supervisor tells the guard at its start. Durations in ms. */
export interface GuardSettings {
  socketPath: string;
  /** Discord's REST base URL, e.g. https://discord.com/api. */
  api: string;
  /** Requests per second that Discord allows to one token. */
  globalPerSecond: number;
  /** Requests that wait at most; more are answered 429. */
  maxQueue: number;
  /** Longest wait of one request. */
  maxWaitMs: number;
  /** Invalid requests (401, 403, 429) per 10 minutes after which Discord bans the address. */
  invalidLimit: number;
  /** Without a supervisor for so long the guard ends. */
  lingerMs: number;
}
