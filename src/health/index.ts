export { reasonOf, scopeName, type HealthCheck, type HealthScope, type Reading } from './check';
export { HealthChecker, type CheckPlan, type HealthView } from './checker';
export type { HealthEvent, HealthEventListener } from './events';
export type { LiveSource } from './live';
export { memoryRoom, type MemoryRoom } from './memory-room';
export type { HealthResult } from './result';
export type { HealthState } from './standing';
