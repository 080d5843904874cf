import ms from 'ms';
import type { Finding, Rule } from '../rule';
import type { DetectSettings } from '../settings';
import type { Scope } from '../types';
import type { CheckFact } from '../window';

/** What a server says that has no connection left for anybody. */
const NO_CONNECTIONS = /too many (clients|connections)|remaining connection slots|max_client_conn/i;

/** A database shard does not answer, or takes no writes. */
export function databaseDown({ for: forMs, clear: clearMs }: DetectSettings['databaseDown']): Rule {
  return {
    type: 'database-down',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ checks }) =>
      failing(checks, 'postgres')
        .filter(({ message }) => !NO_CONNECTIONS.test(message))
        .map(({ scope, message }) => ({
          scope,
          severity: 'critical',
          text: message,
          evidence: [{ metric: 'postgres_up' }, { metric: 'pool_errors_total' }],
        })),
  };
}

/** Callers wait too long for a connection, or the server has none left. */
export function poolExhausted(settings: DetectSettings['poolExhausted']): Rule {
  const { wait, for: forMs, clear: clearMs } = settings;
  return {
    type: 'pool-exhausted',
    forMs,
    clearMs,
    windowMs: 120_000,
    find: ({ checks, metrics }, isOpen) => {
      const refused = failing(checks, 'postgres').filter(({ message }) => NO_CONNECTIONS.test(message));
      const waiting = new Map(metrics.latest('pool_waiting').map(({ labels, value }) => [labels['database'], value]));
      const slow = metrics.latest('pool_acquire_p99_seconds').flatMap(({ labels, value }): Finding[] => {
        const scope: Scope = `db:${Number(labels['database'])}`;
        const late = (waiting.get(labels['database']) ?? 0) > 0 && value * 1_000 > wait * (isOpen(scope) ? 0.5 : 1);
        const timeouts = metrics.figure('pool_acquire_timeouts_total', 'increase', 120_000, {
          database: labels['database'] ?? '',
        });
        if (!late && (timeouts ?? 0) === 0) return [];
        const text =
          (timeouts ?? 0) > 0
            ? `${timeouts ?? 0} callers got no connection in time`
            : `${waiting.get(labels['database']) ?? 0} callers wait for a connection, up to ${ms(Math.round(value * 1_000))}`;
        return [{ scope, severity: 'warning', text, evidence: [{ metric: 'pool_waiting', labels }] }];
      });
      return [
        ...refused.map(({ scope, message }): Finding => ({ scope, severity: 'critical', text: message, sure: true })),
        ...slow,
      ];
    },
  };
}

/** Writes wait on disk for too long although they could be done. */
export function deferredWritesStuck(settings: DetectSettings['deferredWritesStuck']): Rule {
  const { age, for: forMs, clear: clearMs } = settings;
  return {
    type: 'deferred-writes-stuck',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ metrics }) => {
      const oldest = metrics.latest('deferred_oldest_age_seconds')[0]?.value ?? 0;
      if (oldest * 1_000 <= age) return [];
      const count = metrics.latest('deferred_writes')[0]?.value ?? 0;
      const text = `${count} writes wait on disk, the oldest for ${ms(Math.round(oldest * 1_000))}`;
      return [{ scope: 'postgres', severity: 'warning', text, evidence: [{ metric: 'deferred_writes' }] }];
    },
  };
}

/** Redis does not answer, or takes no writes. */
export function redisDown({ for: forMs, clear: clearMs }: DetectSettings['redisDown']): Rule {
  return {
    type: 'redis-down',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ checks }) =>
      failing(checks, 'redis').map(({ message }) => ({
        scope: 'redis',
        severity: 'warning',
        text: message,
        evidence: [{ metric: 'redis_up' }, { metric: 'cache_errors_total' }],
      })),
  };
}

function failing(checks: readonly CheckFact[], name: string): CheckFact[] {
  return checks.filter(({ check, failing: fails }) => check === name && fails);
}
