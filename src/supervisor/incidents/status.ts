import type { IncidentStatus } from '../../control/incidents';
import type { Incident } from '../../incidents';

/** More are not shown: who has so many looks at `botctl incidents`. */
const MAX_SHOWN = 20;

/** What `status` tells of incidents: those that stand for themselves. `open`: the most severe first. Pure. */
export function incidentStatus(open: readonly Incident[], now: number): IncidentStatus[] {
  return open
    .filter(({ parent }) => parent === null)
    .slice(0, MAX_SHOWN)
    .map(
      ({
        id,
        type,
        rule,
        scope,
        affected,
        severity,
        state,
        text,
        openedAt,
        acknowledged,
        silencedUntil,
        timeline,
      }) => ({
        id,
        type,
        rule,
        scope,
        affected,
        severity,
        state: state === 'mitigated' ? 'mitigated' : 'open',
        text,
        openedAt,
        acknowledged: acknowledged !== null,
        silenced: silencedUntil !== null && silencedUntil > now,
        lastAction: timeline.findLast(({ kind }) => kind === 'action')?.text ?? null,
        explains: open.filter(({ parent }) => parent === id).length,
      }),
    );
}
