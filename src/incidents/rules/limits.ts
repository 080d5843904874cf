import ms from 'ms';
import { isAbove, type Rule } from '../rule';
import type { DetectSettings } from '../settings';
import type { Figures } from '../window';

/** Discord counts refused calls over this time, ms. */
const INVALID_WINDOW_MS = 10 * 60_000;
const CRITICAL_SHARE = 0.8;

/** What is left of the day's identifies. */
export function identifyBudgetLow(settings: DetectSettings['identifyBudgetLow']): Rule {
  return {
    type: 'identify-budget-low',
    forMs: settings.for,
    clearMs: settings.clear,
    windowMs: 0,
    find: ({ bot, now }) => {
      const budget = bot?.identify.budget ?? null;
      if (budget === null) return [];
      const { total, remaining, reserve, resetAt } = budget;
      const spent = remaining <= reserve;
      if (!spent && remaining > total * settings.share) return [];
      const reset = resetAt > now ? `, reset in ${ms(resetAt - now)}` : '';
      const text = `${remaining} of ${total} identifies are left${reset}${spent ? '; only the reserve is, so shards without a session wait' : ''}`;
      const evidence = [{ metric: 'identify_remaining' }, { metric: 'shard_identifies_total' }];
      return [{ scope: 'bot', severity: spent ? 'critical' : 'warning', text, evidence }];
    },
  };
}

export function restGuardDown({ for: forMs, clear: clearMs }: DetectSettings['restGuardDown']): Rule {
  return {
    type: 'rest-guard-down',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ metrics }) =>
      metrics.latest('rest_guard_up').some(({ value }) => value === 0)
        ? [
            {
              scope: 'rest',
              severity: 'warning',
              text: 'the REST guard does not answer; clusters call Discord directly',
            },
          ]
        : [],
  };
}

/** Discord answers 429 again and again. */
export function rest429Storm(settings: DetectSettings['rest429Storm']): Rule {
  const { count, window: windowMs, for: forMs, clear: clearMs } = settings;
  return {
    type: 'rest-429-storm',
    forMs,
    clearMs,
    windowMs,
    find: ({ metrics }, isOpen) => {
      const limited = Math.max(
        metrics.figure('rest_rate_limited_total', 'increase', windowMs) ?? 0,
        metrics.figure('rest_guard_rate_limited_total', 'increase', windowMs) ?? 0,
      );
      if (!isAbove(limited, count, isOpen('rest'))) return [];
      const text = `${limited} calls were answered with 429 in ${ms(windowMs)}`;
      const severity = limited > count * 10 ? 'critical' : 'warning';
      return [{ scope: 'rest', severity, text, evidence: [{ metric: 'rest_rate_limited_total' }] }];
    },
  };
}

/** Discord bans an address for refused calls. */
export function invalidRequests(settings: DetectSettings['invalidRequests']): Rule {
  return {
    type: 'invalid-requests',
    forMs: settings.for,
    clearMs: settings.clear,
    windowMs: INVALID_WINDOW_MS,
    find: ({ metrics }, isOpen) => {
      const banned = metrics.latest('rest_guard_banned').some(({ value }) => value > 0);
      const { used, limit } = invalid(metrics, settings.limit);
      if (!banned && !isAbove(used / limit, settings.share, isOpen('rest'))) return [];
      const text = banned
        ? 'Discord has banned this address for invalid requests'
        : `${used} of ${limit} calls that Discord allows to be refused in 10 minutes`;
      const severity = banned || used / limit >= CRITICAL_SHARE ? 'critical' : 'warning';
      return [{ scope: 'rest', severity, text, evidence: [{ metric: 'rest_invalid_requests_total' }] }];
    },
  };
}

function invalid(metrics: Figures, defaultLimit: number): { used: number; limit: number } {
  const guarded = metrics.latest('rest_guard_invalid_requests')[0]?.value;
  const limit = metrics.latest('rest_guard_invalid_limit')[0]?.value;
  if (guarded !== undefined && limit !== undefined && limit > 0) return { used: guarded, limit };
  const own = metrics.figure('rest_invalid_requests_total', 'increase', INVALID_WINDOW_MS) ?? 0;
  return { used: own, limit: defaultLimit };
}

/** Discord refuses the token. */
export function restUnauthorized({ for: forMs, clear: clearMs }: DetectSettings['restUnauthorized']): Rule {
  return {
    type: 'rest-unauthorized',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ metrics }) =>
      metrics.latest('rest_guard_unauthorized').some(({ value }) => value > 0)
        ? [{ scope: 'rest', severity: 'critical', text: 'Discord refuses the token (401): nothing is sent with it' }]
        : [],
  };
}
