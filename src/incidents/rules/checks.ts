import type { Rule } from '../rule';
import type { DetectSettings } from '../settings';
import type { CheckFact } from '../window';

/** Checks that other rules are about. */
const OWN = new Set(['discord', 'shards', 'postgres', 'redis', 'memory', 'event-loop', 'disk', 'identify-budget']);

/** No room, or not writable. A disk that is only slow has room. */
export function diskLow({ for: forMs, clear: clearMs }: DetectSettings['diskLow']): Rule {
  return {
    type: 'disk-low',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ checks }) =>
      checks
        .filter(({ check, failing, answered }) => check === 'disk' && failing && answered)
        .map(({ message }) => ({ scope: 'host', severity: 'critical', text: message })),
  };
}

/** The bot's own checks and those of the config; and a disk that does not answer, for nothing else tells of it. */
export function healthCheck({ for: forMs, clear: clearMs }: DetectSettings['healthCheck']): Rule {
  return {
    type: 'health-check',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ checks }) =>
      checks.filter(isForeign).map(({ check, scope, message }) => ({
        scope,
        severity: 'warning',
        text: `${check}: ${message}`,
        name: check,
      })),
  };
}

function isForeign({ check, failing, answered }: CheckFact): boolean {
  return failing && (!OWN.has(check) || (check === 'disk' && !answered));
}
