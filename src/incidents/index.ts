export * from './types';
export { metricFigures } from './figures';
export { IncidentError, Incidents, type IncidentsOptions, type Look } from './incidents';
export { createRules } from './rules';
export type { CustomRuleSettings, DetectSettings } from './settings';
export type { BotFacts, CheckFact, Occurrence } from './window';
export type { Outcome, Target } from './notifiers/notifications';
