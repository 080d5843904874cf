import type { HealthScope } from './check';
import type { HealthState } from './standing';

/** How one scope of one check is. Times are ms since the epoch. */
export interface HealthResult {
  check: string;
  scope: HealthScope;
  state: HealthState;
  since: number;
  /** The last look; null: it could not tell. */
  ok: boolean | null;
  /** false: the look took too long, so the message says nothing about what was looked at. */
  answered: boolean;
  /** Failures in a row. */
  failures: number;
  message: string;
  lookedAt: number;
  tookMs: number;
}
