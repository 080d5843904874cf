import { readdirSync } from 'node:fs';
import { DATA_SETTINGS, type DataSettings } from '../data/settings';

/** Did an earlier process of this cluster leave deferred writes behind? They are due whether or not the bot defers more. */
export function hasLeftWrites(env: NodeJS.ProcessEnv, owner: string): boolean {
  const text = env[DATA_SETTINGS];
  if (text === undefined) return false;
  const { databaseUrls, defer } = JSON.parse(text) as DataSettings;
  if (databaseUrls.length === 0) return false;
  try {
    return readdirSync(defer.dir).some((name) => name.startsWith(`${owner}~`));
  } catch {
    return false; // no folder: nobody has deferred anything yet
  }
}
