import type { DeployEvent } from '../../deploy';
import type { IncidentDesk } from '../../incidents';

/** A rollout that failed is told as long as nothing newer is deployed, ms at most. */
const FAILED_FOR_MS = 24 * 60 * 60 * 1_000;

/** Tells incidents and operators how rollouts end. */
export function tellIncidents(desk: Pick<IncidentDesk, 'signal' | 'announce'>, event: DeployEvent): void {
  if (event.type !== 'deploy.ended') return;
  const { kind, to, from, end, reason, byOperator } = event;
  const why = reason === null ? '' : `: ${reason}`;
  const failed = end !== 'done' && !byOperator;
  const text = failed ? `The ${kind} ${from} -> ${to} was ${WORDS[end]}${why}` : `The ${kind} to ${to} is done`;
  desk.signal({
    type: 'deploy-failed',
    scope: 'bot',
    holds: failed,
    text,
    severity: end === 'rolled-back' ? 'warning' : 'critical',
    ...(failed && { forMs: FAILED_FOR_MS }),
  });
  if (!failed) desk.announce({ title: `${kind}: ${end}`, text: `${from} -> ${to}${why}`, severity: 'info' });
}

const WORDS = { done: 'done', 'rolled-back': 'rolled back', halted: 'halted', failed: 'given up' } as const;

/** What keeps a deploy from beginning; that the last one failed does not. */
export function incidentsInTheWay(desk: Pick<IncidentDesk, 'openIncidents'>): string[] {
  return desk
    .openIncidents()
    .filter(({ type, parent, severity, holds }) => {
      return type !== 'deploy-failed' && parent === null && severity !== 'info' && holds;
    })
    .map(({ id, text }) => `${id} ${text}`);
}
