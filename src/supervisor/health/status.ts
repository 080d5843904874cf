import type { HealthCheckStatus, HealthState, HealthStatus } from '../../control/contract';
import { scopeName, type HealthResult, type HealthScope, type HealthView } from '../../health';

/** Scopes that are named one by one; the rest is counted. */
const MAX_NAMED = 20;
const MAX_IN_PROBLEM = 3;

const RANK: Record<HealthState, number> = { unhealthy: 0, unknown: 1, healthy: 2 };

/** Puts together what `status` tells of the health. Pure. */
export function buildHealthStatus({ state, roundAt, intervalMs, results }: HealthView): HealthStatus {
  const checks = [...byCheck(results)].map(([name, own]) => checkStatus(name, own));
  return { state, roundAt, intervalMs, checks: checks.sort((a, b) => RANK[a.state] - RANK[b.state]) };
}

/** A sentence for each unhealthy check. `said`: what other problems say already. Pure. */
export function healthProblems(
  view: HealthView | null,
  said: (check: string, scope: HealthScope) => boolean,
): string[] {
  const news = (view?.results ?? []).filter(({ state, check, scope }) => state === 'unhealthy' && !said(check, scope));
  return [...byCheck(news)].map(([name, results]) => {
    const named = results.slice(0, MAX_IN_PROBLEM).map((result) => about(result));
    const more = results.length - named.length;
    return `Unhealthy: ${name}: ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}.`;
  });
}

function about({ scope, message }: HealthResult): string {
  return scope.kind === 'bot' ? message : `${scopeName(scope)}: ${message}`;
}

function byCheck(results: readonly HealthResult[]): Map<string, HealthResult[]> {
  const checks = new Map<string, HealthResult[]>();
  for (const result of results) {
    const own = checks.get(result.check);
    if (own === undefined) checks.set(result.check, [result]);
    else own.push(result);
  }
  return checks;
}

function checkStatus(name: string, results: readonly HealthResult[]): HealthCheckStatus {
  const sorted = [...results].sort((a, b) => RANK[a.state] - RANK[b.state] || a.since - b.since);
  const [worst] = sorted;
  const unhealthy = sorted.filter(({ state }) => state === 'unhealthy');
  return {
    name,
    state: worst?.state ?? 'unknown',
    since: worst?.since ?? 0,
    scopes: results.length,
    failing: results.filter(({ ok, state }) => ok === false && state !== 'unhealthy').length,
    unhealthy: unhealthy.length,
    message: worst?.message ?? '',
    named: unhealthy
      .slice(0, MAX_NAMED)
      .map(({ scope, since, message }) => ({ scope: scopeName(scope), since, message })),
  };
}
