import type { HealthCheckStatus, HealthState, Status } from '../control/contract';
import { scopeName, type HealthView } from '../health';

/** Every scope of every check, for `?verbose`. Times are ms since the epoch. */
interface Result {
  check: string;
  scope: string;
  state: HealthState;
  since: number;
  lookedAt: number;
  tookMs: number;
  failures: number;
  message: string;
}

interface Answer {
  /** unknown also while nothing is looked at. */
  health: HealthState;
  checks: HealthCheckStatus[];
  results?: Result[];
}

export interface LivenessAnswer extends Answer {
  alive: true;
  supervisor: Status['supervisor']['state'];
  uptimeSeconds: number | null;
}

export interface ReadinessAnswer extends Answer {
  ready: boolean;
  verdict: Status['verdict'];
  reasons: string[];
}

/**
 * Of `/healthz`. That the supervisor answers is all that it takes to be alive: an orchestrator that ends it for a sick
 * database would end the bot with it. Pure.
 */
export function livenessAnswer(status: Status, verbose: HealthView | null): LivenessAnswer {
  const { state, uptimeSeconds } = status.supervisor;
  return { alive: true, supervisor: state, uptimeSeconds, ...answer(status, verbose) };
}

/** Of `/readyz`: ready is a bot whose shards all serve and whose checks are not unhealthy. Pure. */
export function readinessAnswer(status: Status, verbose: HealthView | null): ReadinessAnswer {
  const { verdict, problems } = status;
  return { ready: verdict === 'well', verdict, reasons: problems, ...answer(status, verbose) };
}

function answer({ health }: Status, verbose: HealthView | null): Answer {
  return {
    health: health?.state ?? 'unknown',
    checks: health?.checks ?? [],
    ...(verbose !== null && {
      results: verbose.results.map((result) => ({ ...result, scope: scopeName(result.scope) })),
    }),
  };
}

/** For those who may not see more. Pure. */
export function bareAnswer(answer: LivenessAnswer | ReadinessAnswer): { alive: true } | { ready: boolean } {
  return 'alive' in answer ? { alive: true } : { ready: answer.ready };
}
