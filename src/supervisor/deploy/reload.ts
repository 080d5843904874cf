import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config';
import type { ClusterSettings } from '../../sharding/cluster/cluster-deps';
import { clusterSettingsOf } from '../cluster-settings';
import type { CommonSpec } from './releases';

export type ReloadConfig = () => Promise<{ config: Config; secrets: readonly string[] }>;

/** Keys that take effect without a new supervisor. */
const RELOADABLE = [
  /^bot\.(entry|token|args|nodeArgs|env|cwd)(\.|$)/,
  /^deploy\./,
  /^sharding\.(spawnTimeout|hangTimeout|stopTimeout|graceTime|restart)(\.|$)/,
];

/** Keys whose values `botctl scale` reaches by another way. */
const SCALABLE = /^sharding\.(totalShards|shardsPerCluster)$/;

/** Which keys differ, and whether they can take effect now. Pure. */
export function changedKeys(old: Config, fresh: Config): { now: string[]; later: string[] } {
  const keys = differences(old, fresh, '');
  const now = keys.filter((key) => RELOADABLE.some((pattern) => pattern.test(key)));
  return { now, later: keys.filter((key) => !now.includes(key)) };
}

/** Makes the running config that of the file, as far as it can be, and says what cannot be. */
export function applyReload(
  running: Config,
  { config: fresh }: { config: Config },
  settings: ClusterSettings,
  say: (text: string) => void,
): Pick<CommonSpec, 'entry' | 'args' | 'nodeArgs' | 'cwd' | 'botEnv' | 'token'> {
  const { now, later } = changedKeys(running, fresh);
  if (now.length > 0) say(`changed: ${now.join(', ')}`);
  for (const key of later) {
    const way = SCALABLE.test(key) ? 'botctl scale, or botctl stop and start' : 'botctl stop, then botctl start';
    say(`not reloaded: ${key} (use ${way})`);
  }
  const { restart, ...times } = clusterSettingsOf({ ...running, sharding: { ...running.sharding, ...timesOf(fresh) } });
  Object.assign(settings, times);
  Object.assign(settings.restart, restart);
  Object.assign(running.sharding, timesOf(fresh));
  Object.assign(running.deploy, fresh.deploy);
  Object.assign(running.bot, fresh.bot, { name: running.bot.name });
  const { entry, args, nodeArgs, cwd, env, token } = fresh.bot;
  return { entry, args, nodeArgs, cwd, botEnv: env, token };
}

function timesOf({
  sharding,
}: Config): Pick<Config['sharding'], 'spawnTimeout' | 'hangTimeout' | 'stopTimeout' | 'graceTime' | 'restart'> {
  const { spawnTimeout, hangTimeout, stopTimeout, graceTime, restart } = sharding;
  return { spawnTimeout, hangTimeout, stopTimeout, graceTime, restart };
}

function differences(old: unknown, fresh: unknown, at: string): string[] {
  if (isDeepStrictEqual(old, fresh)) return [];
  if (!isMapping(old) || !isMapping(fresh)) return [at];
  const keys = new Set([...Object.keys(old), ...Object.keys(fresh)]);
  return [...keys].flatMap((key) => differences(old[key], fresh[key], at === '' ? key : `${at}.${key}`));
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
