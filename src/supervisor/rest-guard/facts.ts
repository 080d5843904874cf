import type { RestGuardStatus } from '../../control/contract';
import { GUARD_ANSWERS } from '../../ipc/rest-guard';
import type { Fact } from '../../metrics';

const MS_PER_SECOND = 1_000;
const NONE = {};
const SCOPES = ['user', 'global', 'shared'] as const;
const LEVELS = ['slow', 'stop'];

/** What the guard has counted since its start. */
export function guardCounters({ figures }: RestGuardStatus): Fact[] {
  if (figures === null) return [];
  const { counters, classes } = figures;
  return [
    { name: 'rest_guard_requests_total', labels: NONE, value: counters.sent },
    { name: 'rest_guard_cancelled_total', labels: NONE, value: counters.cancelled },
    { name: 'rest_guard_failures_total', labels: NONE, value: counters.failed },
    ...SCOPES.map((scope): Fact => {
      return { name: 'rest_guard_rate_limited_total', labels: { scope }, value: counters.rateLimited[scope] };
    }),
    // Told before the first one: a rate over a series that begins with its first event misses that event.
    ...GUARD_ANSWERS.map((reason): Fact => {
      return { name: 'rest_guard_own_answers_total', labels: { reason }, value: counters.own[reason] ?? 0 };
    }),
    ...classes.flatMap(({ class: route, answers }) =>
      Object.entries(answers).map(([digit, value]): Fact => {
        return { name: 'rest_guard_answers_total', labels: { route, status: `${digit}xx` }, value };
      }),
    ),
  ];
}

/** How the guard is now. NaN: not known. */
export function guardGauges({ state, figures }: RestGuardStatus): Fact[] {
  const facts: Fact[] = [{ name: 'rest_guard_up', labels: NONE, value: state === 'up' ? 1 : 0 }];
  const known = state === 'up' ? figures : null;
  const gauges = known?.gauges;
  const braked = (level: string): number => gauges?.braked.filter((one) => one.level === level).length ?? NaN;
  facts.push(
    { name: 'rest_guard_queue_length', labels: NONE, value: gauges?.queued ?? NaN },
    { name: 'rest_guard_in_flight', labels: NONE, value: gauges?.inFlight ?? NaN },
    { name: 'rest_guard_global_remaining', labels: NONE, value: gauges?.globalRemaining ?? NaN },
    { name: 'rest_guard_invalid_requests', labels: NONE, value: gauges?.invalid ?? NaN },
    { name: 'rest_guard_invalid_limit', labels: NONE, value: gauges?.invalidLimit ?? NaN },
    { name: 'rest_guard_banned', labels: NONE, value: gauges === undefined ? NaN : gauges.bannedForMs > 0 ? 1 : 0 },
    { name: 'rest_guard_unauthorized', labels: NONE, value: gauges === undefined ? NaN : Number(gauges.unauthorized) },
    { name: 'rest_guard_resident_memory_bytes', labels: NONE, value: known?.rssBytes ?? NaN },
    ...LEVELS.map((level): Fact => ({ name: 'rest_guard_routes_braked', labels: { level }, value: braked(level) })),
  );
  for (const { class: route, latencyMs, queueMs } of known?.classes ?? []) {
    facts.push(
      { name: 'rest_guard_latency_p99_seconds', labels: { route }, value: inSeconds(latencyMs.p99) },
      { name: 'rest_guard_wait_p99_seconds', labels: { route }, value: inSeconds(queueMs.p99) },
    );
  }
  return facts;
}

function inSeconds(ms: number | null): number {
  return ms === null ? NaN : ms / MS_PER_SECOND;
}
