import ms from 'ms';
import { isAbove, type Finding, type Rule } from '../rule';
import type { DetectSettings } from '../settings';
import type { Scope, Severity } from '../types';
import type { FigureAt, Figures, Window } from '../window';

interface Calls {
  calls: number;
  failures: number;
}

const FAILURES = ['interaction_failures_total', 'message_reply_failures_total'];
const CALLS = ['interactions_total', 'message_replies_total', 'message_reply_failures_total'];

/** Too many answers fail: of one cluster, of the bot, or all of Discord's REST API. */
export function errorRate(settings: DetectSettings['errorRate']): Rule {
  const { share, criticalShare, minCalls, window: windowMs, for: forMs, clear: clearMs } = settings;
  const judge = (scope: Scope, { calls, failures }: Calls, isOpen: boolean): Finding | null => {
    const part = calls === 0 ? 0 : Math.min(1, failures / calls);
    if (calls < minCalls || !isAbove(part, share, isOpen)) return null;
    const what = scope === 'rest' ? "calls to Discord's REST API fail (5xx or no answer)" : 'answers fail';
    return {
      scope,
      severity: part >= criticalShare ? 'critical' : 'warning',
      text: `${percent(part)} of ${Math.round(calls)} ${what}; well is up to ${percent(share)}`,
      evidence: [{ metric: scope === 'rest' ? 'rest_requests_total' : 'interaction_failures_total' }],
    };
  };
  return {
    type: 'error-rate',
    forMs,
    clearMs,
    windowMs,
    find: ({ metrics, bot }, isOpen) => {
      const clusters = ofThoseThere(perCluster(metrics, windowMs), bot);
      const each = [...clusters].flatMap(([id, calls]) => {
        const scope: Scope = `cluster:${id}`;
        return judge(scope, calls, isOpen(scope)) ?? [];
      });
      const rest = judge('rest', restCalls(metrics, windowMs), isOpen('rest'));
      const all = judge('bot', total(clusters.values()), isOpen('bot'));
      return [...ofBotOrClusters(each, all, bot), ...(rest === null ? [] : [rest])];
    },
  };
}

const DURATIONS = ['interaction_response_seconds', 'message_response_seconds'];

/** Answers take too long on the average. */
export function slowResponses(settings: DetectSettings['slowResponses']): Rule {
  const { mean, minCalls, window: windowMs, for: forMs, clear: clearMs } = settings;
  const judge = (scope: Scope, calls: number, seconds: number, isOpen: boolean): Finding | null => {
    if (calls < minCalls || !isAbove(seconds * 1_000, mean, isOpen)) return null;
    const what = scope === 'rest' ? "Discord's REST API takes" : 'answers take';
    const severity: Severity = seconds * 1_000 > mean * 3 ? 'critical' : 'warning';
    const text = `${what} ${seconds.toFixed(1)} s on the average (of ${Math.round(calls)}); well is up to ${ms(mean)}`;
    const metric = scope === 'rest' ? 'rest_request_duration_seconds' : 'interaction_response_seconds';
    return { scope, severity, text, evidence: [{ metric, stat: 'mean' }] };
  };
  return {
    type: 'slow-responses',
    forMs,
    clearMs,
    windowMs,
    find: ({ metrics, bot }, isOpen) => {
      const times = new Map<number, { calls: number; seconds: number }>();
      for (const name of DURATIONS) {
        const counts = byCluster(metrics.figures(name, 'count', windowMs, ['cluster']));
        for (const [id, one] of byCluster(metrics.figures(name, 'mean', windowMs, ['cluster']))) {
          const known = times.get(id) ?? { calls: 0, seconds: 0 };
          const count = counts.get(id) ?? 0;
          times.set(id, { calls: known.calls + count, seconds: known.seconds + one * count });
        }
      }
      const known = ofThoseThere(times, bot);
      const each = [...known].flatMap(([id, { calls, seconds }]) => {
        const scope: Scope = `cluster:${id}`;
        return judge(scope, calls, seconds / Math.max(1, calls), isOpen(scope)) ?? [];
      });
      const calls = [...known.values()].reduce((sum, one) => sum + one.calls, 0);
      const seconds = [...known.values()].reduce((sum, one) => sum + one.seconds, 0);
      const all = judge('bot', calls, seconds / Math.max(1, calls), isOpen('bot'));
      const rest = judge(
        'rest',
        metrics.figure('rest_request_duration_seconds', 'count', windowMs) ?? 0,
        metrics.figure('rest_request_duration_seconds', 'mean', windowMs) ?? 0,
        isOpen('rest'),
      );
      return [...ofBotOrClusters(each, all, bot), ...(rest === null ? [] : [rest])];
    },
  };
}

/** One cluster that stands out is told by itself; more of them, or the only one, are the bot. */
function ofBotOrClusters(each: readonly Finding[], all: Finding | null, bot: Window['bot']): Finding[] {
  const only = (bot?.clusters.length ?? 0) <= 1;
  if (all !== null && (only || each.length !== 1)) return [all, ...(only ? [] : each)];
  return [...each];
}

/** Figures of a cluster outlive it: after a scale nobody can do anything about them. */
function ofThoseThere<T>(clusters: ReadonlyMap<number, T>, bot: Window['bot']): Map<number, T> {
  const ids = new Set(bot?.clusters.map(({ id }) => id) ?? clusters.keys());
  return new Map([...clusters].filter(([id]) => ids.has(id)));
}

function perCluster(metrics: Figures, windowMs: number): Map<number, Calls> {
  const found = new Map<number, Calls>();
  const add = (name: string, key: keyof Calls): void => {
    for (const [id, value] of byCluster(metrics.figures(name, 'increase', windowMs, ['cluster']))) {
      const known = found.get(id) ?? { calls: 0, failures: 0 };
      found.set(id, { ...known, [key]: known[key] + value });
    }
  };
  for (const name of CALLS) add(name, 'calls');
  for (const name of FAILURES) add(name, 'failures');
  return found;
}

function restCalls(metrics: Figures, windowMs: number): Calls {
  const byStatus = metrics.figures('rest_requests_total', 'increase', windowMs, ['status']);
  const failed = byStatus.filter(({ labels }) => /^(5\d\d|error)$/.test(labels['status'] ?? ''));
  return { calls: sum(byStatus), failures: sum(failed) };
}

function byCluster(figures: readonly FigureAt[]): Map<number, number> {
  return new Map(figures.map(({ labels, value }) => [Number(labels['cluster']), value]));
}

function total(all: Iterable<Calls>): Calls {
  let calls = 0;
  let failures = 0;
  for (const one of all) {
    calls += one.calls;
    failures += one.failures;
  }
  return { calls, failures };
}

function sum(figures: readonly FigureAt[]): number {
  return figures.reduce((all, { value }) => all + value, 0);
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}
