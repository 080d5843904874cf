import { type DbView, renderDb } from '../../../src/cli/render/db';
import { visibleWidth } from '../../../src/cli/render/style';
import type { DataStatus } from '../../../src/control/contract';
import { aStatus } from '../../control/status.fixture';

const POOLS = { processes: 2, max: 20, total: 6, idle: 4, inUse: 2, waiting: 0, acquireTimeouts: 0, errors: 0 };
const DATA: DataStatus = {
  problem: null,
  shards: [0, 1].map((shard) => ({
    ...{ shard, address: `127.0.0.1:5432/shard_${shard}`, buckets: 512, pinnedGuilds: shard },
    pools: { ...POOLS, acquireP99Ms: 1 },
  })),
  move: null,
  cache: null,
  deferred: null,
};

function view(change: Partial<DbView> = {}): DbView {
  return { postgres: aStatus().postgres, data: DATA, moves: [], migrations: [], ...change };
}

function render(change: Partial<DbView> = {}, width = 100): string {
  return renderDb(view(change), { width, color: false, unicode: true });
}

test('shards, moves and migrations', () => {
  const applied = (shard: number, at: string | null, changed = false) => ({ shard, appliedAt: at, changed });
  const on = '2026-05-01T12:00:00.000Z';
  expect(
    render({
      moves: [
        {
          ...{ unit: 'guild 81384788765712384', from: 0, to: 1, state: 'done', rows: 1_234_567, pauseMs: 11.6 },
          ...{ startedAt: on, message: null },
        },
      ],
      migrations: [
        { name: '001-notes.sql', shards: [applied(0, on), applied(1, on)] },
        { name: '002-more.sql', shards: [applied(0, on, true), applied(1, null)] },
      ],
    }),
  ).toBe(`\
● 2 database shards are ready

DB  ADDRESS                 BUCKETS  PINNED  CONNECTIONS  WAITING  TIME-OUTS  ERRORS
 0  127.0.0.1:5432/shard_0      512       0    2/6 of 20        0          0       0
 1  127.0.0.1:5432/shard_1      512       1    2/6 of 20        0          0       0

MOVE                     FROM  TO  STATE       ROWS  PAUSE  BEGUN                MESSAGE
guild 81384788765712384     0   1  done   1,234,567  12 ms  2026-05-01 12:00:00

MIGRATION      APPLIED ON  NOTE
001-notes.sql  all
002-more.sql   0           changed after it was applied
`);
});

test('what is wrong comes first', () => {
  expect(render({ data: { ...DATA, problem: 'shard 1: connection refused' } })).toMatch(
    /^\S The database shards are not ready: shard 1: connection refused\n/,
  );
  const postgres = { ...aStatus().postgres, state: 'down' as const, message: 'no answer' };
  expect(render({ postgres })).toMatch(/^\S Postgres is down: no answer\n/);
});

test('without database shards it says why there are none', () => {
  expect(render({ data: null, postgres: { ...aStatus().postgres, state: 'off' } })).toMatch(/Postgres is off/);
});

test('a move under way is shown', () => {
  const move = { unit: 'bucket 7', from: 1, to: 0, phase: 'copying', rows: 5_000 };
  expect(render({ data: { ...DATA, move } })).toContain(
    'bucket 7 is being moved from database shard 1 to 0: copying, 5,000 rows',
  );
});

test('what a server says cannot move the cursor, and lines stay within the terminal', () => {
  const move = {
    ...{ unit: 'guild 1', from: 0, to: 1, state: 'aborted', rows: null, pauseMs: null },
    ...{ startedAt: '2026-05-01T12:00:00.000Z', message: `\u001b[2Jboom ${'x'.repeat(200)}` },
  };
  const text = render({ moves: [move] }, 60);
  expect(text).not.toContain('\u001b');
  for (const line of text.split('\n')) expect(visibleWidth(line)).toBeLessThanOrEqual(60);
});
