import { scopesText, scopeText } from '../scopes';
import type { Incident, Severity } from '../types';

export type NoticeKind = 'opened' | 'escalated' | 'reopened' | 'resolved' | 'announcement' | 'test';

/** One thing to tell, in words that fit every target. */
export interface Notice {
  kind: NoticeKind;
  /** Name of the bot. */
  bot: string;
  title: string;
  text: string;
  severity: Severity;
  /** ms since the epoch. */
  at: number;
  /** null: an announcement, or a test. */
  incident: Incident | null;
  /** The same in each attempt: who gets it twice can tell by it. */
  key: string;
}

const HEADS: Record<Exclude<NoticeKind, 'announcement' | 'test'>, string> = {
  opened: '',
  escalated: 'Escalated: ',
  reopened: 'Again: ',
  resolved: 'Resolved: ',
};

export function incidentNotice(kind: keyof typeof HEADS, incident: Incident, bot: string): Notice {
  const { id, rule, severity, text, openedAt, updatedAt, resolvedAt, reopened } = incident;
  const where = incident.affected.length > 1 ? scopesText(incident.affected) : scopeText(incident.scope);
  return {
    kind,
    bot,
    title: `${HEADS[kind]}${rule} (${where})`,
    text: kind === 'resolved' ? endText(incident) : text,
    severity,
    at: kind === 'resolved' ? (resolvedAt ?? updatedAt) : kind === 'opened' ? openedAt : updatedAt,
    incident,
    key: `${id}/${kind}/${severity}/${reopened}`,
  };
}

function endText({ text, openedAt, updatedAt, resolvedAt, timeline }: Incident): string {
  const last = timeline.at(-1);
  if (last?.kind === 'merged') return `It ${last.text}.`;
  return `After ${lasted(openedAt, resolvedAt ?? updatedAt)}. It was: ${text}`;
}

/** `42 s`, `7 min`, `3 h 5 min`. */
export function lasted(from: number, to: number): string {
  const seconds = Math.max(0, Math.round((to - from) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function clipped(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
