import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../../config';
import { socketDir } from '../../control/socket-path';
import type { RestGuardBoot } from '../../ipc/rest-guard';
import { logRestEvent } from './log';
import { RestGuardProcess } from './process';

/** The guard outlives the grace time of clusters that nobody takes over by so long, ms: they still finish their calls. */
const LINGER_MS = 6_000;

export interface RestGuardSetup {
  config: Config;
  /** REST base URL of Discord, or of what stands for it. */
  api: string;
  version: string;
  env: NodeJS.ProcessEnv;
  logger: Logger;
}

/** The limiter for all clusters, not started yet. */
export function createRestGuard({ config, api, version, env, logger }: RestGuardSetup): RestGuardProcess {
  const { globalPerSecond, maxQueue, maxWait, invalidRequests } = config.rest;
  return new RestGuardProcess({
    stateDir: config.stateDir,
    settings: {
      socketPath: socketPath(config),
      api,
      globalPerSecond,
      maxQueue,
      maxWaitMs: maxWait,
      invalidLimit: invalidRequests,
      lingerMs: config.sharding.graceTime + LINGER_MS,
    },
    version,
    env: { PATH: env['PATH'], NODE_EXTRA_CA_CERTS: env['NODE_EXTRA_CA_CERTS'] },
    emit: (event) => logRestEvent(logger, event),
  });
}

/** What each of so many clusters has to know of the guard. */
export function restGuardBoot(config: Config, clusters: number): RestGuardBoot {
  const { globalPerSecond, maxWait } = config.rest;
  return {
    socketPath: socketPath(config),
    directPerSecond: Math.max(1, Math.floor(globalPerSecond / clusters)),
    maxWaitMs: maxWait,
  };
}

function socketPath({ stateDir }: Config): string {
  return join(socketDir(stateDir), 'rest.sock');
}
