import { closeSync, readFileSync } from 'node:fs';
import { BOOT_FD, BOOT_MARK, type BootRecord } from '../ipc/messages';

/** The boot record of this process, or null when it is not a cluster. Reads it once; afterwards it is gone. */
export function takeBootRecord(env: NodeJS.ProcessEnv): BootRecord | null {
  if (env[BOOT_MARK] === undefined) return null;
  // Processes that the bot starts inherit the environment, not the descriptor.
  Reflect.deleteProperty(env, BOOT_MARK);
  const text = readFileSync(BOOT_FD, 'utf8');
  closeSync(BOOT_FD);
  return JSON.parse(text) as BootRecord;
}

/** What discord.js's own ShardingManager would have set, and what the operator's config adds. */
export function applyEnvironment(env: NodeJS.ProcessEnv, boot: BootRecord): void {
  const [first] = boot.shardIds;
  Object.assign(env, boot.env, {
    SHARDING_MANAGER: 'true',
    SHARDING_MANAGER_MODE: 'process',
    SHARDS: JSON.stringify(boot.shardIds.length === 1 ? first : boot.shardIds),
    SHARD_COUNT: String(boot.totalShards),
  });
}

/** `--require <agent>` is for this process only: a bot that forks passes `process.execArgv` on. */
export function removeOwnPreload(execArgv: string[], file: string): void {
  const at = execArgv.findIndex((arg, index) => arg === '--require' && execArgv[index + 1] === file);
  if (at !== -1) execArgv.splice(at, 2);
}
