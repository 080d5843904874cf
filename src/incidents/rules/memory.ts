import bytes from 'bytes';
import ms from 'ms';
import type { Finding, Rule } from '../rule';
import type { DetectSettings } from '../settings';
import type { Evidence, Scope } from '../types';
import type { ClusterFacts, Window } from '../window';

/** Large heaps breathe: growth below this share of what there was is none. */
const SPIKE_SHARE = 0.2;
const EASED = 0.8;
/** So near to its end, a process is about to be killed. */
const CRITICAL_SHARE = 0.97;

/** A cluster grows fast, or comes near what it may have; or the machine does. */
export function memoryPressure(settings: DetectSettings['memoryPressure']): Rule {
  return {
    type: 'memory-pressure',
    forMs: settings.for,
    clearMs: settings.clear,
    windowMs: settings.window,
    find: (window, isOpen) => [
      ...(window.bot?.clusters ?? []).flatMap((cluster) => {
        const scope: Scope = `cluster:${cluster.id}`;
        const open = isOpen(scope);
        return nearLimit(cluster, settings, open) ?? spike(cluster, window, settings, open) ?? [];
      }),
      ...hostFindings(window),
    ],
  };
}

function nearLimit(
  { id, sample }: ClusterFacts,
  { nearLimit: share, limit }: DetectSettings['memoryPressure'],
  isOpen: boolean,
): Finding | null {
  if (sample === null) return null;
  const { rssBytes, heapUsedBytes, heapLimitBytes } = sample;
  const heap = heapLimitBytes > 0 ? heapUsedBytes / heapLimitBytes : 0;
  const resident = limit === undefined ? 0 : rssBytes / limit;
  const worst = Math.max(heap, resident);
  if (worst <= share * (isOpen ? 0.95 : 1)) return null;
  const what =
    heap >= resident
      ? `heap ${size(heapUsedBytes)} of ${size(heapLimitBytes)}`
      : `resident ${size(rssBytes)} of ${size(limit ?? 0)}`;
  return {
    scope: `cluster:${id}`,
    severity: worst >= CRITICAL_SHARE ? 'critical' : 'warning',
    text: `memory runs out: ${what} (${Math.round(worst * 100)} %)`,
    evidence: evidence(id),
  };
}

function spike(
  { id, uptimeMs, sample }: ClusterFacts,
  { metrics }: Window,
  { spike: threshold, window, warmUp }: DetectSettings['memoryPressure'],
  isOpen: boolean,
): Finding | null {
  // While it starts, a bot fills its caches.
  if (sample === null || uptimeMs === null || uptimeMs < warmUp + window) return null;
  const least = metrics.figure('cluster_resident_memory_bytes', 'min', window, { cluster: String(id) });
  if (least === null) return null;
  const grown = sample.rssBytes - least;
  if (grown <= Math.max(threshold, least * SPIKE_SHARE) * (isOpen ? EASED : 1)) return null;
  return {
    scope: `cluster:${id}`,
    severity: 'warning',
    text: `memory grew by ${size(grown)} within ${ms(window)}, to ${size(sample.rssBytes)}`,
    evidence: evidence(id),
  };
}

function hostFindings({ checks }: Window): Finding[] {
  return checks
    .filter(({ check, scope, failing }) => check === 'memory' && scope === 'host' && failing)
    .map(({ scope, message }) => ({ scope, severity: 'critical', text: message }));
}

function evidence(cluster: number): Evidence[] {
  const labels = { cluster: String(cluster) };
  return [
    { metric: 'cluster_resident_memory_bytes', labels },
    { metric: 'cluster_heap_used_bytes', labels },
  ];
}

function size(value: number): string {
  return bytes.format(value, { unitSeparator: ' ', decimalPlaces: 0 }) ?? '?';
}
