import type {
  IncidentDetail,
  IncidentList,
  IncidentStatus,
  SilenceStatus,
  TargetStatus,
} from '../../control/incidents';
import { scopeText, scopesText } from '../../incidents/scopes';
import type { Incident, Severity, TimelineEntry, TimelineKind } from '../../incidents/types';
import { renderColumns, type Column } from './columns';
import { formatDuration, formatPlural, plainText } from './format';
import { Style, type StyleOptions, type Tone } from './style';

export interface RenderIncidentsOptions extends StyleOptions {
  /** Columns of the screen. */
  width: number;
  /** ms since the epoch. */
  now: number;
}

export const SEVERITY_TONES: Record<Severity, Tone> = { critical: 'bad', warning: 'busy', info: 'quiet' };

const KIND_TONES: Partial<Record<TimelineKind, Tone>> = {
  opened: 'bad',
  reopened: 'bad',
  escalated: 'bad',
  returned: 'busy',
  mitigated: 'busy',
  resolved: 'good',
  action: 'strong',
};

/** The whole answer of `botctl incidents`. */
export function renderIncidents(list: IncidentList, options: RenderIncidentsOptions & { past: boolean }): string {
  const style = new Style(options);
  const quiet = (text: string): string => style.paint('quiet', text);
  const open = list.incidents.filter(({ state }) => state !== 'resolved');
  const own = open.filter(({ parent }) => parent === null);
  const blocks: string[][] = [[headline(own, style)]];
  if (list.incomplete !== null) blocks.push([`${style.sign('busy')} ${plainText(list.incomplete)}`]);
  const shown = options.past ? list.incidents : open;
  if (shown.length > 0) blocks.push(renderColumns(shown, columns(style, options.now), options.width, quiet));
  const sick = list.targets.filter(({ state }) => state === 'failing');
  if (sick.length > 0) blocks.push(sick.map((target) => targetLine(target, style, options.now)));
  if (list.silences.length > 0)
    blocks.push([
      `${style.sign('quiet')} ${formatPlural(list.silences.length, 'silence')}: see botctl incidents silences`,
    ]);
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function headline(open: readonly Incident[], style: Style): string {
  const held = open.filter(({ state }) => state === 'open');
  if (open.length === 0) return `${style.sign('good')} No incident is open.`;
  const over = open.length - held.length;
  const easing = over === 0 ? '' : `, ${over} about to be resolved`;
  const tone = held.some(({ severity }) => severity === 'critical') ? 'bad' : 'busy';
  return `${style.sign(tone)} ${formatPlural(held.length, 'incident')} open${easing}.`;
}

function columns(style: Style, now: number): Column<Incident>[] {
  return [
    { title: 'ID', rank: 100, value: ({ id }) => id },
    { title: 'SEVERITY', rank: 90, value: ({ severity, state }) => severityCell(severity, state, style) },
    { title: 'STATE', rank: 95, value: stateWord },
    { title: 'RULE', rank: 99, value: ({ rule }) => plainText(rule) },
    { title: 'SCOPE', rank: 98, value: (incident) => where(incident) },
    { title: 'SINCE', align: 'right', rank: 80, value: ({ openedAt }) => `${formatDuration(now - openedAt)} ago` },
    {
      title: 'LASTED',
      align: 'right',
      rank: 60,
      value: ({ openedAt, resolvedAt }) => formatDuration((resolvedAt ?? now) - openedAt),
    },
    { title: 'MESSAGE', rank: 70, value: ({ text }) => plainText(text) },
  ];
}

function severityCell(severity: Severity, state: Incident['state'], style: Style): string {
  const tone = state === 'resolved' ? 'quiet' : SEVERITY_TONES[severity];
  return `${style.sign(tone)} ${style.paint(tone, severity)}`;
}

function stateWord({ state, parent, acknowledged }: Incident): string {
  if (state === 'resolved') return 'resolved';
  if (parent !== null) return `follows ${parent}`;
  return acknowledged === null ? state : `${state}, acknowledged`;
}

function where({ scope, affected }: Pick<Incident, 'scope' | 'affected'>): string {
  return affected.length > 1 ? scopesText(affected, 3) : scopeText(scope);
}

/** The whole answer of `botctl incidents show`. */
export function renderIncident({ incident, explained }: IncidentDetail, options: RenderIncidentsOptions): string {
  const style = new Style(options);
  const { id, rule, severity, state, text, openedAt, resolvedAt, acknowledged, silencedUntil, parent, reopened } =
    incident;
  const { now } = options;
  const tone = state === 'resolved' ? 'good' : SEVERITY_TONES[severity];
  const head = `${style.sign(tone)} ${style.paint('strong', id)} ${plainText(rule)}, ${where(incident)}: ${style.paint(tone, `${severity}, ${state}`)}`;
  const facts: [string, string][] = [
    ['Opened', `${stamp(openedAt)}, ${formatDuration(now - openedAt)} ago`],
    ['Lasted', formatDuration((resolvedAt ?? now) - openedAt)],
  ];
  if (acknowledged !== null) facts.push(['Known to', `${acknowledged.by}, since ${stamp(acknowledged.at)}`]);
  if (silencedUntil !== null && silencedUntil > now) facts.push(['Silent', `until ${stamp(silencedUntil)}`]);
  if (parent !== null) facts.push(['Follows', `from ${parent}`]);
  if (reopened > 0) facts.push(['Came back', formatPlural(reopened, 'time')]);
  const lines = facts.map(([label, value]) => `${style.paint('quiet', label.padEnd(LABEL_WIDTH))}${value}`);
  const entries = incident.timeline.map((entry) => timelineLine(entry, openedAt, style));
  if (incident.timelineDropped > 0)
    entries.push(style.paint('quiet', `  ${incident.timelineDropped} more in the middle were dropped`));
  const followed = explained.map((one) => `  ${one.id} ${plainText(one.rule)}, ${where(one)}: ${one.state}`);
  const blocks = [[head, `  ${plainText(text)}`], lines, entries];
  if (followed.length > 0) blocks.push([style.paint('quiet', 'What follows from it'), ...followed]);
  return `${blocks.map((block) => block.join('\n')).join('\n\n')}\n`;
}

const LABEL_WIDTH = 12;

function timelineLine({ at, kind, text }: TimelineEntry, openedAt: number, style: Style): string {
  const tone = KIND_TONES[kind] ?? 'none';
  const since = `+${formatDuration(at - openedAt)}`.padStart(SINCE_WIDTH);
  return `${style.paint('quiet', since)}  ${style.paint(tone, kind.padEnd(KIND_WIDTH))} ${plainText(text)}`;
}

const SINCE_WIDTH = 12;
const KIND_WIDTH = 12;

export function renderSilences(silences: readonly SilenceStatus[], options: StyleOptions & { now: number }): string {
  const style = new Style(options);
  if (silences.length === 0) return `${style.sign('quiet')} Nothing is silenced.\n`;
  const rows: Column<SilenceStatus>[] = [
    { title: 'ID', rank: 100, value: ({ id }) => id },
    {
      title: 'WHAT',
      rank: 99,
      value: ({ type, scope }) => `${type ?? 'everything'}${scope === undefined ? '' : ` of ${scope}`}`,
    },
    { title: 'ENDS IN', align: 'right', rank: 98, value: ({ until }) => formatDuration(until - options.now) },
    { title: 'BY', rank: 90, value: ({ by }) => plainText(by) },
    { title: 'REASON', rank: 80, value: ({ reason }) => plainText(reason ?? '') },
  ];
  const lines = renderColumns(silences, rows, Number.POSITIVE_INFINITY, (text) => style.paint('quiet', text));
  return `${lines.join('\n')}\n`;
}

function targetLine({ name, lastError, retryAt }: TargetStatus, style: Style, now: number): string {
  const next = retryAt === null ? '' : `, next try ${retryAt <= now ? 'now' : `in ${formatDuration(retryAt - now)}`}`;
  return `${style.sign('bad')} ${name} does not take messages: ${plainText(lastError ?? '')}${next}`;
}

/** One line of `status`: what is wrong, and what was last done about it. */
export function incidentLine(incident: IncidentStatus, style: Style, now: number): string {
  const { id, rule, severity, state, text, openedAt, lastAction, explains, acknowledged, silenced } = incident;
  const tone = state === 'mitigated' ? 'quiet' : SEVERITY_TONES[severity];
  const marks = [
    state === 'mitigated' ? 'no longer the case' : null,
    acknowledged ? 'acknowledged' : null,
    silenced ? 'silenced' : null,
    explains > 0 ? `explains ${explains} more` : null,
  ].filter((mark) => mark !== null);
  const more = marks.length === 0 ? '' : ` (${marks.join(', ')})`;
  const action = lastAction === null ? '' : `; ${plainText(lastAction)}`;
  return `${style.paint(tone, severity)} ${plainText(rule)}, ${where(incident)}, for ${formatDuration(now - openedAt)}: ${plainText(text)}${action}${more} [${id}]`;
}

function stamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
