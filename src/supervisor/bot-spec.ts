import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DATA_SETTINGS, type DataSettings } from '../data/settings';
import type { BotSpec } from '../sharding/bot-spec';

export interface BotSpecOptions {
  entry: string;
  args: readonly string[];
  nodeArgs: readonly string[];
  cwd: string;
  /** Environment of the supervisor. */
  env: NodeJS.ProcessEnv;
  /** `bot.env` of the config: may hold secrets, so it goes the private way. */
  botEnv: Record<string, string>;
  token: string;
  /** Addresses of the databases, with passwords. */
  databaseUrls: readonly string[];
  redisUrl: string | null;
  /** For the SDK. */
  data: DataSettings;
  /** Values that may not be in the process's visible environment. */
  secrets: readonly string[];
  discordApi: string;
  /** REST calls pass the guard. */
  restGuard: boolean;
  /** Name of the release; absent: the bot's own folder. */
  release?: string;
  /** Of botctl: an agent of another version is not adopted. */
  version: string;
}

const TYPESCRIPT = /\.[cm]?ts$/;

/** A shorter secret is looked for as a whole value only: by chance it would be part of many. */
const MIN_CONTAINED = 8;

/** Ours or systemd's, not the bot's business. */
const PRIVATE_VARIABLES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'BOTCTL_DISCORD_API'];

/** How to run the bot: node, our agent preloaded, tsx for TypeScript, then the entry. */
export function botSpec(options: BotSpecOptions): BotSpec {
  const { entry, args, nodeArgs, cwd, token, botEnv, databaseUrls, redisUrl, data } = options;
  const agent = join(__dirname, '..', 'agent', 'preload.js');
  const typescript = TYPESCRIPT.test(entry) ? ['--import', pathToFileURL(require.resolve('tsx')).href] : [];
  const secretEnv: Record<string, string> = {
    ...botEnv,
    DISCORD_TOKEN: token,
    ...(databaseUrls.length > 0 && { BOTCTL_DATABASE_URLS: JSON.stringify(databaseUrls) }),
    ...(redisUrl !== null && { BOTCTL_REDIS_URL: redisUrl }),
    [DATA_SETTINGS]: JSON.stringify(data),
  };
  const all = [...nodeArgs, '--require', agent, ...typescript, entry, ...args];
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([all, cwd, token, botEnv, options.discordApi, options.restGuard, options.version]))
    .digest('hex')
    .slice(0, 32);
  return {
    execPath: process.execPath,
    args: all,
    cwd,
    env: visibleEnv(options.env, options.secrets),
    secretEnv,
    release: options.release ?? 'live',
    fingerprint,
  };
}

/** The supervisor's environment without anything that holds a secret: it can be read in /proc. */
export function visibleEnv(env: NodeJS.ProcessEnv, secrets: readonly string[]): NodeJS.ProcessEnv {
  const visible = Object.entries(env).filter(([name, value]) => {
    if (PRIVATE_VARIABLES.includes(name) || value === undefined) return false;
    return !secrets.some((secret) => value === secret || (secret.length >= MIN_CONTAINED && value.includes(secret)));
  });
  return Object.fromEntries(visible);
}
