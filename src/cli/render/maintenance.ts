import type {
  MaintenanceOverview,
  MaintenanceReport,
  MaintenanceRun,
  MaintenanceStatus,
  MaintenanceStep,
} from '../../control/maintenance-contract';
import { type Column, renderColumns } from './columns';
import { formatBytes, formatCount, formatDuration, plainText } from './format';
import { Style, type StyleOptions, type Tone } from './style';

interface Options extends StyleOptions {
  width: number;
}

/** The whole answer of `botctl maintain`. */
export function renderMaintenance(overview: MaintenanceOverview, options: Options & { now: number }): string {
  const style = new Style(options);
  const title = (text: string): string => style.paint('quiet', text);
  const { status, runs, steps } = overview;
  const blocks: string[][] = [
    statusLines(status, options.now).map(({ tone, text }) => `${style.sign(tone)} ${text}`),
    runs.length === 0 ? [] : renderColumns(runs, runColumns(options.now), options.width, title),
    steps.length === 0 ? [] : ['Steps of the last run:', ...renderColumns(steps, STEP_COLUMNS, options.width, title)],
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** What `botctl maintain --now` did. */
export function renderReport({ steps }: MaintenanceReport, options: Options): string {
  const style = new Style(options);
  if (steps.length === 0) return '';
  const lines = renderColumns(steps, STEP_COLUMNS, options.width, (text) => style.paint('quiet', text));
  return `\n${lines.join('\n')}\n`;
}

/** How it stands, in a line or two: what `status` and `maintain` say alike. */
export function statusLines(status: MaintenanceStatus, now: number): { tone: Tone; text: string }[] {
  const lines: { tone: Tone; text: string }[] = [];
  const { running, next, last, failing, backup } = status;
  if (running !== null) lines.push({ tone: 'busy', text: `Maintenance is under way: ${plainText(running.text)}` });
  const ended = last === null ? 'none yet' : `${formatDuration(now - last.endedAt)} ago, ${last.outcome}`;
  const due = next === null ? 'never' : `in ${formatDuration(next.at - now)} (${localTime(next.at)})`;
  lines.push({ tone: failing.length > 0 ? 'bad' : 'good', text: `Last maintenance: ${ended}; next: ${due}` });
  for (const { task, message } of failing) lines.push({ tone: 'bad', text: `${task} failed: ${plainText(message)}` });
  if (backup !== null) lines.push(backupLine(backup, now));
  return lines;
}

/** For `status`, in one line. */
export function maintenanceFact({ running, next, last, backup }: MaintenanceStatus, now: number): string {
  const parts = [
    running !== null ? `maintenance: ${plainText(running.text)}` : null,
    running === null && last !== null ? `maintenance ${formatDuration(now - last.endedAt)} ago: ${last.outcome}` : null,
    next === null ? null : `next in ${formatDuration(next.at - now)}`,
    backup?.last == null
      ? 'no backup yet'
      : `backup ${formatDuration(now - backup.last.at)} ago, ${formatBytes(backup.last.bytes)}${backup.last.verified === true ? ', verified' : ''}`,
  ];
  return parts.filter((part) => part !== null).join('; ');
}

function backupLine(backup: NonNullable<MaintenanceStatus['backup']>, now: number): { tone: Tone; text: string } {
  if (backup.problem !== null) return { tone: 'bad', text: `Backups: ${plainText(backup.problem)}` };
  const { last, count, target } = backup;
  if (last === null) return { tone: 'quiet', text: `Backups: none yet in ${target}` };
  const verified = last.verified === null ? 'not restored for a trial yet' : last.verified ? 'verified' : 'not usable';
  const text = `Last backup: ${formatDuration(now - last.at)} ago, ${formatBytes(last.bytes)}, ${verified}; ${formatCount(count)} in ${target}`;
  return { tone: last.verified === false ? 'bad' : 'good', text };
}

function localTime(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ') + ' UTC';
}

function runColumns(now: number): Column<MaintenanceRun>[] {
  return [
    { title: 'RUN', align: 'right', rank: 70, value: ({ id }) => `${id ?? '-'}` },
    { title: 'BEGUN', rank: 100, value: ({ startedAt }) => localTime(startedAt) },
    { title: 'BY', rank: 80, value: ({ trigger }) => trigger },
    {
      title: 'TOOK',
      align: 'right',
      rank: 85,
      value: ({ startedAt, endedAt }) => formatDuration((endedAt ?? now) - startedAt),
    },
    { title: 'OUTCOME', rank: 95, value: ({ outcome }) => outcome ?? 'not ended' },
    { title: 'HOST', rank: 60, value: ({ host }) => plainText(host) },
    { title: 'MESSAGE', rank: 50, value: ({ message }) => plainText(message ?? '') },
  ];
}

const STEP_COLUMNS: Column<MaintenanceStep>[] = [
  { title: 'TASK', rank: 100, value: ({ task }) => task },
  { title: 'DB', align: 'right', rank: 90, value: ({ shard }) => (shard === null ? '-' : `${shard}`) },
  { title: 'OBJECT', rank: 95, value: ({ object }) => plainText(object ?? '-') },
  { title: 'WHAT', rank: 70, value: ({ action }) => plainText(action) },
  { title: 'OUTCOME', rank: 98, value: ({ outcome }) => outcome },
  { title: 'TOOK', align: 'right', rank: 60, value: ({ ms }) => formatDuration(ms) },
  { title: 'FIGURES', rank: 65, value: ({ before, after }) => figures(before, after) },
  { title: 'MESSAGE', rank: 80, value: ({ message }) => plainText(message ?? '') },
];

/** `dead rows 171,200 -> 0`: what has changed. */
function figures(before: MaintenanceStep['before'], after: MaintenanceStep['after']): string {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return names
    .flatMap((name) => {
      const [was, is] = [before?.[name], after?.[name]];
      if (was === is) return [];
      const shown = [was, is].filter((value) => value !== undefined).map((value) => figure(name, value));
      return [`${words(name)} ${shown.join(' -> ')}`];
    })
    .join(', ');
}

function figure(name: string, value: number | string): string {
  if (typeof value === 'string') return plainText(value);
  return /bytes/i.test(name) ? formatBytes(value) : formatCount(value);
}

function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
