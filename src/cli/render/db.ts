import type { DatabaseShardStatus, DataStatus, DbOverview, PostgresStatus } from '../../control/contract';
import { type Column, renderColumns } from './columns';
import { formatCount, plainText } from './format';
import { Style, type StyleOptions } from './style';

export interface DbView extends DbOverview {
  postgres: PostgresStatus;
  data: DataStatus | null;
}

const MAX_MOVES = 10;

/** The whole answer of `botctl db status`. */
export function renderDb(view: DbView, options: StyleOptions & { width: number }): string {
  const style = new Style(options);
  const title = (text: string): string => style.paint('quiet', text);
  const { postgres, data } = view;
  if (data === null) return `${style.sign('quiet')} There are no database shards: Postgres is ${postgres.state}.\n`;
  const blocks: string[][] = [
    [headline(data, postgres, style)],
    renderColumns(data.shards, SHARD_COLUMNS, options.width, title),
    data.move === null ? [] : [`${style.sign('busy')} ${moveLine(data.move)}`],
    view.moves.length === 0 ? [] : renderColumns(view.moves.slice(0, MAX_MOVES), MOVE_COLUMNS, options.width, title),
    view.migrations.length === 0 ? [] : renderColumns(view.migrations, MIGRATION_COLUMNS, options.width, title),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function headline(data: DataStatus, postgres: PostgresStatus, style: Style): string {
  if (data.problem !== null)
    return `${style.sign('bad')} The database shards are not ready: ${plainText(data.problem)}`;
  if (postgres.state !== 'up')
    return `${style.sign('bad')} Postgres is ${postgres.state}: ${plainText(postgres.message ?? '')}`;
  return `${style.sign('good')} ${data.shards.length} database shards are ready`;
}

const SHARD_COLUMNS: Column<DatabaseShardStatus>[] = [
  { title: 'DB', align: 'right', rank: 100, value: ({ shard }) => `${shard}` },
  { title: 'ADDRESS', rank: 60, value: ({ address }) => plainText(address) },
  { title: 'BUCKETS', align: 'right', rank: 90, value: ({ buckets }) => formatCount(buckets) },
  { title: 'PINNED', align: 'right', rank: 80, value: ({ pinnedGuilds }) => formatCount(pinnedGuilds) },
  {
    title: 'CONNECTIONS',
    align: 'right',
    rank: 85,
    value: ({ pools }) => `${pools.inUse}/${pools.total} of ${pools.max}`,
  },
  { title: 'WAITING', align: 'right', rank: 84, value: ({ pools }) => formatCount(pools.waiting) },
  { title: 'TIME-OUTS', align: 'right', rank: 50, value: ({ pools }) => formatCount(pools.acquireTimeouts) },
  { title: 'ERRORS', align: 'right', rank: 49, value: ({ pools }) => formatCount(pools.errors) },
];

const MOVE_COLUMNS: Column<DbOverview['moves'][number]>[] = [
  { title: 'MOVE', rank: 100, value: ({ unit }) => plainText(unit) },
  { title: 'FROM', align: 'right', rank: 95, value: ({ from }) => `${from}` },
  { title: 'TO', align: 'right', rank: 95, value: ({ to }) => `${to}` },
  { title: 'STATE', rank: 98, value: ({ state }) => state },
  { title: 'ROWS', align: 'right', rank: 80, value: ({ rows }) => (rows === null ? '-' : formatCount(rows)) },
  {
    title: 'PAUSE',
    align: 'right',
    rank: 85,
    value: ({ pauseMs }) => (pauseMs === null ? '-' : `${Math.round(pauseMs)} ms`),
  },
  { title: 'BEGUN', rank: 50, value: ({ startedAt }) => startedAt.slice(0, 19).replace('T', ' ') },
  { title: 'MESSAGE', rank: 40, value: ({ message }) => plainText(message ?? '') },
];

const MIGRATION_COLUMNS: Column<DbOverview['migrations'][number]>[] = [
  { title: 'MIGRATION', rank: 100, value: ({ name }) => plainText(name) },
  {
    title: 'APPLIED ON',
    rank: 90,
    value: ({ shards }) => {
      const on = shards.filter(({ appliedAt }) => appliedAt !== null).map(({ shard }) => shard);
      return on.length === shards.length ? 'all' : on.length === 0 ? 'none' : on.join(', ');
    },
  },
  {
    title: 'NOTE',
    rank: 80,
    value: ({ shards }) => (shards.some(({ changed }) => changed) ? 'changed after it was applied' : ''),
  },
];

function moveLine({ unit, from, to, phase, rows }: NonNullable<DataStatus['move']>): string {
  const count = rows === null ? '' : `, ${formatCount(rows)} rows`;
  return `${unit} is being moved from database shard ${from} to ${to}: ${phase}${count}`;
}
