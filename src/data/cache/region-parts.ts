import type { Clock } from '../../clock';
import type { InvalidationBus, InvalidationSender } from './bus';
import type { ReportError } from './cache-error';
import type { InvalidationLog } from './invalidation-log';
import type { LeaseWaiters } from './lease-waiters';
import type { MemoryLevel } from './memory-level';
import type { RedisLevel } from './redis-level';

/** What the regions of a cache share. */
export interface RegionParts {
  memory: MemoryLevel;
  /** null: no L2. */
  redis: RedisLevel | null;
  bus: InvalidationBus | null;
  /** null where Redis tells the others, or nobody does. */
  sender: InvalidationSender | null;
  log: InvalidationLog;
  waiters: LeaseWaiters;
  clock: Clock;
  report: ReportError;
  closing: AbortSignal;
}
