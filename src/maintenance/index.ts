export type { MaintenanceEvent, MaintenanceListener, RunOutcome, RunTrigger } from './events';
export type { RunRecord, StepRecord } from './history';
export {
  Maintenance,
  MaintenanceRefusedError,
  type MaintenanceView,
  type RunReport,
  type RunRequest,
} from './maintenance';
export { stepName } from './run';
export {
  DeniedError,
  type Figures,
  isTaskName,
  type MaintenanceTask,
  type StepReport,
  type TaskName,
  TASKS,
} from './task';
export type { PruneReleases } from './tasks/releases';
