import { isMoreSevere } from '../findings';
import type { Told } from '../log/records';
import type { Incident, Severity } from '../types';
import type { NoticeKind } from './notice';

export interface ToldRule {
  /** Less severe incidents are not told. */
  least: Severity;
  /** Is somebody to be told of this one now? */
  isSilenced: (incident: Incident, now: number) => boolean;
}

type Kind = Extract<NoticeKind, 'opened' | 'escalated' | 'reopened' | 'resolved'>;

/**
 * What a target must be told of an incident, by what it was told before; null: nothing. So nothing is told twice, whoever
 * asks and however often, and nothing is told that is over before anybody could be told. Pure.
 */
export function dueNotice(incident: Incident, told: Told | undefined, rule: ToldRule, now: number): Kind | null {
  const before = told?.severity ?? null;
  if (incident.state === 'resolved') return before !== null && told?.resolved === false ? 'resolved' : null;
  if (incident.parent !== null || rule.isSilenced(incident, now)) return null;
  if (isMoreSevere(rule.least, incident.severity)) return null;
  if (before === null) return 'opened';
  if (told?.resolved === true) return incident.reopened > told.reopened ? 'reopened' : 'opened';
  return isMoreSevere(incident.severity, before) ? 'escalated' : null;
}

/** What is known of it after the notice. Pure. */
export function afterNotice(kind: Kind, { severity, reopened }: Incident, told: Told | undefined, now: number): Told {
  const highest =
    kind === 'escalated' || told === undefined || told.severity === null || kind === 'reopened' || kind === 'opened'
      ? severity
      : told.severity;
  return { severity: highest, resolved: kind === 'resolved', reopened, at: now };
}
