/** unknown: before there were enough results to tell. */
export type HealthState = 'unknown' | 'healthy' | 'unhealthy';

/** How many results in a row change a state. */
export interface Thresholds {
  failures: number;
  successes: number;
}

export interface Standing {
  state: HealthState;
  /** Results in a row up to now; one of the two is 0. */
  failures: number;
  successes: number;
  /** When the state began, ms since the epoch. */
  since: number;
}

export function newStanding(now: number): Standing {
  return { state: 'unknown', failures: 0, successes: 0, since: now };
}

/** The standing after one more result. A first success tells enough; getting well again takes more than one. Pure. */
export function judge(standing: Standing, ok: boolean, thresholds: Thresholds, now: number): Standing {
  const failures = ok ? 0 : standing.failures + 1;
  const successes = ok ? standing.successes + 1 : 0;
  const state = next(standing.state, failures, successes, thresholds);
  return { state, failures, successes, since: state === standing.state ? standing.since : now };
}

function next(state: HealthState, failures: number, successes: number, thresholds: Thresholds): HealthState {
  if (failures >= thresholds.failures) return 'unhealthy';
  if (state === 'unhealthy') return successes >= thresholds.successes ? 'healthy' : 'unhealthy';
  return state === 'unknown' && successes > 0 ? 'healthy' : state;
}
