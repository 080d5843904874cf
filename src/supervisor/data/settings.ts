import { join } from 'node:path';
import type { Config } from '../../config';
import type { PoolShare } from '../../data/pool/budget';
import type { DataSettings } from '../../data/settings';
import { redisSource } from './redis-source';
import { readTls } from './tls';

/** Where the placement is kept for the time when the catalogue is down. */
export function placementFile(stateDir: string): string {
  return join(stateDir, 'placement.json');
}

/** What the SDK in each cluster is told. */
export function dataSettings(
  config: Config,
  found: { databaseUrls: readonly string[]; redisUrl: string | null; share: PoolShare },
): DataSettings {
  const { bot, postgres, redis, cache, stateDir } = config;
  const { acquireTimeout, idleTimeout, maxLifetime, statementTimeout, idleInTransactionTimeout } = postgres.pool;
  const { pgbouncer, preparedStatements } = postgres.pool;
  return {
    name: bot.name,
    databaseUrls: [...found.databaseUrls],
    ...(postgres.tls !== undefined && { tls: readTls(postgres.tls) }),
    pool: {
      ...{ acquireTimeout, idleTimeout, maxLifetime, statementTimeout, idleInTransactionTimeout },
      ...{ pgbouncer, preparedStatements },
      share: found.share,
    },
    redis: redisSource(redis, found.redisUrl),
    cache,
    defer: { dir: join(stateDir, 'deferred'), ...postgres.defer },
    placementFile: placementFile(stateDir),
  };
}
