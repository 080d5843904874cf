import ms from 'ms';
import type { Finding, Rule } from '../rule';
import type { DetectSettings } from '../settings';
import type { Scope } from '../types';
import type { ClusterFacts, Occurrence, Window } from '../window';

/** A crash is told even when the next process is up before anybody looks, ms. */
const FRESH_MS = 5_000;
/** States in which a cluster works again. */
const SERVES = new Set(['ready', 'degraded']);

const CRASH_EVIDENCE = [{ metric: 'cluster_restarts_total' }, { metric: 'cluster_resident_memory_bytes' }];

type Crash = Extract<Occurrence, { kind: 'crash' }>;

/** A cause that no restart cures. */
export function clusterFatal({ for: forMs, clear: clearMs }: DetectSettings['clusterFatal']): Rule {
  return {
    type: 'cluster-fatal',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ bot }) => {
      if (bot === null) return [];
      if (bot.fatal !== null) return [{ scope: 'bot', severity: 'critical', text: bot.fatal }];
      return bot.clusters
        .filter(({ state }) => state === 'fatal')
        .map(({ id, message }) => ({ scope: `cluster:${id}`, severity: 'critical', text: message ?? 'is held' }));
    },
  };
}

/** A process died, and there is none yet that serves in its place. */
export function clusterCrash(settings: DetectSettings['clusterCrash'], loop: DetectSettings['crashLoop']): Rule {
  return {
    type: 'cluster-crash',
    forMs: settings.for,
    clearMs: settings.clear,
    windowMs: FRESH_MS,
    find: (window) =>
      ofEach(window, loop.window, (cluster, crashes) => {
        const last = crashes.at(-1);
        if (last === undefined || isLoop(cluster, crashes, loop)) return null;
        if (SERVES.has(cluster.state) && window.now - last.at > FRESH_MS) return null;
        const times = crashes.length === 1 ? '' : ` (${crashes.length} times in ${ms(loop.window)})`;
        return {
          severity: 'warning',
          text: `the process died: ${last.reason}${times}`,
          evidence: CRASH_EVIDENCE,
          sure: true,
        };
      }),
  };
}

/** It goes on dying. */
export function crashLoop(settings: DetectSettings['crashLoop']): Rule {
  return {
    type: 'crash-loop',
    forMs: settings.for,
    clearMs: settings.clear,
    windowMs: settings.window,
    find: (window) =>
      ofEach(window, settings.window, (cluster, crashes) => {
        if (!isLoop(cluster, crashes, settings)) return null;
        const why = crashes.at(-1)?.reason ?? cluster.lastExit ?? 'unknown cause';
        return {
          severity: 'critical',
          text: `crash loop: died ${crashes.length} times in ${ms(settings.window)}, last: ${why}`,
          evidence: CRASH_EVIDENCE,
          sure: true,
        };
      }),
  };
}

/** Its event loop does not answer. */
export function clusterHung({ for: forMs, clear: clearMs }: DetectSettings['clusterHung']): Rule {
  return {
    type: 'cluster-hung',
    forMs,
    clearMs,
    windowMs: FRESH_MS,
    find: ({ bot, occurrences, now }) =>
      (bot?.clusters ?? []).flatMap(({ id, state }): Finding[] => {
        const hung = occurrences.findLast((one) => one.kind === 'hung' && one.cluster === id);
        const fresh = hung !== undefined && now - hung.at <= FRESH_MS;
        // Until the process that replaces it serves.
        const replaced = hung !== undefined && !SERVES.has(state) && now - hung.at <= REPLACE_MS;
        if (state !== 'hung' && !fresh && !replaced) return [];
        const text = 'the event loop did not answer; the process is killed and replaced';
        return [{ scope: `cluster:${id}`, severity: 'warning', text, evidence: LOOP_EVIDENCE, sure: true }];
      }),
  };
}

const LOOP_EVIDENCE = [{ metric: 'cluster_event_loop_delay_max_seconds' }, { metric: 'cluster_hangs_total' }];
/** A process that is not up by then has another trouble, ms. */
const REPLACE_MS = 120_000;

/** The event loop comes round late. */
export function eventLoopLag(settings: DetectSettings['eventLoopLag']): Rule {
  return {
    type: 'event-loop-lag',
    forMs: settings.for,
    clearMs: settings.clear,
    windowMs: 60_000,
    find: ({ metrics }, isOpen) =>
      metrics.latest('cluster_event_loop_delay_p99_seconds').flatMap(({ labels, value }): Finding[] => {
        const scope: Scope = `cluster:${Number(labels['cluster'])}`;
        const limit = (settings.delay / 1_000) * (isOpen(scope) ? 0.8 : 1);
        if (value <= limit) return [];
        const text = `the event loop is ${Math.round(value * 1_000)} ms late (99th percentile; well is up to ${ms(settings.delay)})`;
        const evidence = [{ metric: 'cluster_event_loop_delay_p99_seconds', labels }];
        return [{ scope, severity: value > limit * 5 ? 'critical' : 'warning', text, evidence }];
      }),
  };
}

function ofEach(
  { bot, occurrences, now }: Window,
  windowMs: number,
  judge: (cluster: ClusterFacts, crashes: readonly Crash[]) => Omit<Finding, 'scope'> | null,
): Finding[] {
  const crashes = occurrences.filter((one): one is Crash => one.kind === 'crash' && now - one.at <= windowMs);
  return (bot?.clusters ?? []).flatMap((cluster): Finding[] => {
    const verdict = judge(
      cluster,
      crashes.filter((one) => one.cluster === cluster.id),
    );
    return verdict === null ? [] : [{ scope: `cluster:${cluster.id}`, ...verdict }];
  });
}

function isLoop({ state }: ClusterFacts, crashes: readonly Crash[], { deaths }: DetectSettings['crashLoop']): boolean {
  return state === 'crash-loop' || crashes.length >= deaths;
}
