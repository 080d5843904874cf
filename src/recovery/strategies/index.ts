import type { IncidentType } from '../../incidents';
import type { Strategy } from '../strategy';
import { clusterHung } from './cluster-hung';
import { databaseDown } from './database-down';
import { deferredWritesStuck } from './deferred-writes-stuck';
import { diskLow } from './disk-low';
import { errorRate } from './error-rate';
import { eventLoopLag } from './event-loop-lag';
import { identifyBudgetLow } from './identify-budget-low';
import { memoryPressure } from './memory-pressure';
import * as notifyOnly from './notify-only';
import { poolExhausted } from './pool-exhausted';
import { redisDown } from './redis-down';
import { invalidRequests, rest429Storm } from './rest-429-storm';
import { shardDisconnects } from './shard-disconnects';
import { shardStuck } from './shard-stuck';
import { slowResponses } from './slow-responses';

/** What is done about each type of incident; the compiler sees to it that none is without a strategy. */
export const STRATEGIES = {
  'discord-outage': notifyOnly.discordOutage,
  'guild-drop': notifyOnly.guildDrop,
  'cluster-fatal': notifyOnly.clusterFatal,
  'cluster-crash': notifyOnly.clusterCrash,
  'crash-loop': notifyOnly.crashLoop,
  'cluster-hung': clusterHung,
  'shard-stuck': shardStuck,
  'shard-disconnects': shardDisconnects,
  'event-loop-lag': eventLoopLag,
  'memory-pressure': memoryPressure,
  'error-rate': errorRate,
  'slow-responses': slowResponses,
  'database-down': databaseDown,
  'pool-exhausted': poolExhausted,
  'deferred-writes-stuck': deferredWritesStuck,
  'redis-down': redisDown,
  'identify-budget-low': identifyBudgetLow,
  'rest-guard-down': notifyOnly.restGuardDown,
  'rest-429-storm': rest429Storm,
  'invalid-requests': invalidRequests,
  'rest-unauthorized': notifyOnly.restUnauthorized,
  'disk-low': diskLow,
  'health-check': notifyOnly.healthCheck,
  'backup-failed': notifyOnly.backupFailed,
  'maintenance-failed': notifyOnly.maintenanceFailed,
  'deploy-failed': notifyOnly.deployFailed,
  'capacity-limit': notifyOnly.capacityLimit,
  custom: notifyOnly.custom,
} satisfies Record<IncidentType, Strategy>;

export function strategyOf(type: IncidentType): Strategy {
  return STRATEGIES[type];
}
