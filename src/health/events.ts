import type { HealthResult } from './result';
import type { HealthState } from './standing';

/** Scopes of one check that changed to the same state in one look. To `unknown`: there is nothing to look at any more. */
export interface HealthEvent {
  type: 'health.changed';
  check: string;
  to: HealthState;
  /** At least one. */
  results: HealthResult[];
}

export type HealthEventListener = (event: HealthEvent) => void;
