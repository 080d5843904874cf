export type { RecoveryActions, StepOutcome } from './actions';
export type { RecoverySettings, UnderWay } from './decide';
export { RecoveryEngine, RecoveryRefused, type RecoveryOrder, type StrategyOverride } from './engine';
export type { Fleet } from './fleet';
export { History, type ActionRecord } from './history';
export { STRATEGIES, strategyOf } from './strategies';
export type { Strategy } from './strategy';
