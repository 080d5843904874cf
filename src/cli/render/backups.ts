import type { BackupSummary } from '../../maintenance/backup/store';
import { type Column, renderColumns } from './columns';
import { formatBytes, formatCount, formatDuration, plainText } from './format';
import { Style, type StyleOptions } from './style';

/** The whole answer of `botctl backup list`. */
export function renderBackups(
  { target, backups }: { target: string; backups: readonly BackupSummary[] },
  options: StyleOptions & { width: number; now: number },
): string {
  const style = new Style(options);
  if (backups.length === 0) {
    return `${style.sign('quiet')} There are no backups in ${target}. Make one: botctl backup now\n`;
  }
  const lines = renderColumns(backups, columns(options.now), options.width, (text) => style.paint('quiet', text));
  return `${[`${formatCount(backups.length)} in ${target}`, '', ...lines].join('\n')}\n`;
}

function columns(now: number): Column<BackupSummary>[] {
  return [
    { title: 'ID', rank: 100, value: ({ id }) => id },
    { title: 'AGE', align: 'right', rank: 90, value: ({ at }) => formatDuration(now - at.getTime()) },
    { title: 'SIZE', align: 'right', rank: 80, value: ({ bytes }) => formatBytes(bytes) },
    { title: 'KIND', rank: 60, value: ({ manifest }) => kind(manifest) },
    { title: 'DATABASES', align: 'right', rank: 50, value: ({ manifest }) => `${manifest?.shards ?? '-'}` },
    { title: 'ROWS', align: 'right', rank: 55, value: ({ manifest }) => rows(manifest) },
    { title: 'STATE', rank: 95, value: state },
  ];
}

function state({ problem, verified }: BackupSummary): string {
  if (problem !== null) return `not usable: ${plainText(problem)}`;
  return verified === null ? 'not verified' : 'verified';
}

function kind(manifest: BackupSummary['manifest']): string {
  if (manifest === null) return '-';
  return `${manifest.parts[0]?.kind ?? '-'}${manifest.encrypted ? ', encrypted' : ''}`;
}

function rows(manifest: BackupSummary['manifest']): string {
  if (manifest === null) return '-';
  return formatCount(manifest.parts.flatMap(({ tables }) => tables).reduce((sum, table) => sum + table.rows, 0));
}
