import { lasted } from './notifiers/notice';
import { scopesText } from './scopes';
import type { Evidence, Incident, TimelineEntry } from './types';

/** A figure before, during and after; null: it was not measured. */
export interface ReportFigure extends Evidence {
  stat: string;
  unit: string;
  before: number | null;
  during: number | null;
  /** null too while it is not over. */
  after: number | null;
}

export interface ReportInput {
  bot: string;
  incident: Incident;
  /** Incidents that it explains. */
  explained: readonly Incident[];
  figures: readonly ReportFigure[];
  now: number;
}

/** Before the opening and after the end so much is looked at, ms. */
export const REPORT_MARGIN_MS = 30 * 60_000;

/** A post-mortem in Markdown: what there was, what was done, what the figures say. Pure. */
export function report(input: ReportInput): string {
  const { incident } = input;
  const sections = [head(input), figures(input), timeline(incident), actions(incident), followed(input), questions()];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function head({ bot, incident, now }: ReportInput): string {
  const { id, rule, severity, state, text, openedAt, resolvedAt, affected, acknowledged, reopened } = incident;
  const rows: [string, string][] = [
    ['Bot', bot],
    ['Severity', severity],
    ['Affected', scopesText(affected, 20)],
    ['Opened', time(openedAt)],
    ['Resolved', resolvedAt === null ? `not yet (${state})` : time(resolvedAt)],
    ['Lasted', lasted(openedAt, resolvedAt ?? now)],
    ['Acknowledged', acknowledged === null ? 'no' : `${time(acknowledged.at)} by ${acknowledged.by}`],
    ...(reopened > 0 ? [['Came back', `${reopened} times`] as [string, string]] : []),
  ];
  return [`# Incident ${id}: ${rule}`, '', plain(text), '', table(['', ''], rows)].join('\n');
}

function figures({ figures: all, incident }: ReportInput): string {
  if (all.length === 0) return '';
  const rows = all.map(({ metric, stat, labels = {}, unit, before, during, after }) => [
    `\`${metric}\`${selector(labels)} (${stat})`,
    value(before, unit),
    value(during, unit),
    incident.resolvedAt === null ? 'not over' : value(after, unit),
  ]);
  return `## Metrics\n\nThirty minutes before, the incident itself, thirty minutes after.\n\n${table(['', 'before', 'during', 'after'], rows)}`;
}

function timeline({ timeline: entries, timelineDropped, openedAt }: Incident): string {
  const rows = entries.map(({ at, kind, text }) => [time(at), `+${lasted(openedAt, at)}`, kind, plain(text)]);
  const note = timelineDropped > 0 ? `\n\n${timelineDropped} entries in the middle were dropped.` : '';
  return `## Timeline\n\n${table(['time', '', '', ''], rows)}${note}`;
}

function actions({ timeline: entries }: Incident): string {
  const done = entries.filter(({ kind }: TimelineEntry) => kind === 'action');
  const lines = done.map(({ at, text }) => `- ${time(at)}: ${plain(text)}`);
  return `## Actions taken\n\n${lines.length === 0 ? 'None by botctl.' : lines.join('\n')}`;
}

function followed({ explained }: ReportInput): string {
  if (explained.length === 0) return '';
  const lines = explained.map(
    ({ id, rule, affected, text }) => `- ${id}: ${rule} (${scopesText(affected)}): ${plain(text)}`,
  );
  return `## What followed from it\n\n${lines.join('\n')}`;
}

function questions(): string {
  return [
    '## To be filled in',
    '',
    '- Cause:',
    '- What went well:',
    '- What did not:',
    '- What will be done, by whom, until when:',
  ].join('\n');
}

function table(head_: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head_), line(head_.map(() => '---')), ...rows.map(line)].join('\n');
}

function selector(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, one]) => `${name}=${one}`);
  return parts.length === 0 ? '' : ` ${parts.join(', ')}`;
}

function time(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function value(number: number | null, unit: string): string {
  if (number === null) return '–';
  switch (unit) {
    case 'bytes':
      return `${(number / 1024 ** 2).toFixed(1)} MB`;
    case 'seconds':
      return number < 1 ? `${(number * 1_000).toFixed(number < 0.01 ? 2 : 0)} ms` : `${number.toFixed(2)} s`;
    case 'ratio':
      return `${(number * 100).toFixed(1)} %`;
    default:
      return String(Number(number.toPrecision(4)));
  }
}

/** Texts of errors must not become tables or headings. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/([\\`*_{}[\]<>|#])/g, '\\$1');
}
