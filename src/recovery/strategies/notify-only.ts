import type { Strategy } from '../strategy';

function notifyOnly(summary: string): Strategy {
  return { kind: 'notify-only', summary };
}

export const discordOutage = notifyOnly(
  'Outage mode holds everything still and probes slowly until Discord is back; more would make it worse.',
);
export const guildDrop = notifyOnly(
  'A part of Discord is out. The guilds come back by themselves; no reconnect helps.',
);
export const clusterFatal = notifyOnly('Token, intents or sharding have to be put right; then: botctl restart');
export const clusterCrash = notifyOnly(
  'The supervisor starts the process again by itself, with growing delays (sharding.restart).',
);
export const crashLoop = notifyOnly(
  'The process is tried again slowly (sharding.restart.crashLoopRetry). Its code or config has to be put right.',
);
export const restGuardDown = notifyOnly(
  'The supervisor starts the guard again by itself; until then the clusters call Discord directly, slowly.',
);
export const restUnauthorized = notifyOnly(
  'Discord refuses the token: set a valid bot.token. Nothing is sent with it.',
);
export const healthCheck = notifyOnly('A check of your own failed: botctl does not know what it is about.');
export const backupFailed = notifyOnly('Look at the reason and run it again: botctl maintain --now --task backup');
export const maintenanceFailed = notifyOnly('It is tried again in the next window; or now: botctl maintain --now');
export const deployFailed = notifyOnly(
  'The rollout has halted and rolled back by itself; the new release needs a fix.',
);
export const capacityLimit = notifyOnly('More shards, memory or disk are for you to give: botctl capacity');
export const custom = notifyOnly('A rule of your own without a strategy: set `strategy` to have something done.');
