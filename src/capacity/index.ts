export { HistoryTable, type Connection } from './history-table';
export { keptReport } from './kept-report';
export { letterOf, type Letter } from './letter';
export { CapacityPlanner, type PlannerOptions } from './planner';
export type { Deployment } from './deployment';
export type { CapacityReport, CapacityStatus, Recommendation, ResourceReport } from './report';
export type { Observation, ResourceName } from './resource';
export { limitsNear, type LimitNear } from './signals';
