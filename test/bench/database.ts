/* Router and pools against bare pg.Pool, and a guild move against psql's binary COPY, on a real server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import Table from 'cli-table3';
import { Pool } from 'pg';
import { type MoveProgress, Mover } from '../../src/data/move/mover';
import { bucketOf } from '../../src/data/placement/bucket';
import { Shards } from '../data/support/shards';
import { snowflakes } from '../data/support/snowflakes';

const CALLERS = 64;
const CONNECTIONS = 10;
const STATEMENTS = 20_000;
const ROUNDS = 5;
const MOVED_ROWS = 1_000_000;
const GUILDS = 1_000;

type Run = (n: number) => Promise<unknown>;

/** On a server of its own. */
async function onShards(work: (shards: Shards) => Promise<void>): Promise<void> {
  const shards = await new Shards(2).start();
  try {
    await work(shards);
  } finally {
    await shards.end();
  }
}

export function benchPool(): Promise<void> {
  return onShards(comparePools);
}

export function benchMove(): Promise<void> {
  return onShards(compareMove);
}

async function comparePools(shards: Shards): Promise<void> {
  const guilds = snowflakes(20_000, 1)
    .filter((guild) => bucketOf(guild) % 2 === 0)
    .slice(0, GUILDS);
  await shards.everywhere('CREATE TABLE settings (guild_id bigint PRIMARY KEY, prefix text, extra jsonb)');
  await shards.sql(0, `INSERT INTO settings SELECT id, '!', '{"a": 1}' FROM unnest($1::bigint[]) AS id`, [guilds]);
  const text = 'SELECT prefix, extra FROM settings WHERE guild_id = $1';
  const ids = guilds.map(String);
  const of = (n: number): string => ids[n % ids.length] as string;

  const bare = new Pool({ connectionString: shards.urls[0] ?? '', max: CONNECTIONS });
  const database = shards.database({ max: CONNECTIONS });
  const runs: [string, Run][] = [
    ['pg.Pool', (n) => bare.query(text, [of(n)])],
    ['pg.Pool, named', (n) => bare.query({ name: 'settings', text, values: [of(n)] })],
    ['db.query', (n) => database.query(of(n), text, [of(n)])],
    ['pg.Pool, transaction', (n) => transaction(bare, text, of(n))],
    ['db.transaction', (n) => database.transaction(of(n), (tx) => tx.query(text, [of(n)]))],
  ];
  const rates = new Map<string, number[]>(runs.map(([name]) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, run] of runs) {
      const rate = await throughput(run);
      if (round > 0) rates.get(name)?.push(rate); // the first one warms up
    }
  }
  await bare.end();
  const rate = (name: string): number => median(rates.get(name) ?? []);
  const table = new Table({ head: ['statements/s', 'median', 'of its peer'], style: { head: [], border: [] } });
  for (const [name] of runs) {
    const peer = name.includes('transaction') ? 'pg.Pool, transaction' : 'pg.Pool';
    table.push([name, Math.round(rate(name)).toLocaleString('en'), `${(rate(name) / rate(peer)).toFixed(2)}x`]);
  }
  console.log(`\nSingle statements and transactions: ${CALLERS} callers, ${CONNECTIONS} connections`);
  console.log(table.toString());
}

async function transaction(pool: Pool, text: string, id: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(text, [id]);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

async function throughput(run: Run): Promise<number> {
  let next = 0;
  const since = performance.now();
  const caller = async (): Promise<void> => {
    for (let n = next++; n < STATEMENTS; n = next++) await run(n);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return STATEMENTS / ((performance.now() - since) / 1_000);
}

async function compareMove(shards: Shards): Promise<void> {
  const guild = snowflakes(1, 9)[0] as bigint;
  const home = bucketOf(guild) % 2;
  await shards.everywhere(`
    CREATE TABLE message (guild_id bigint, id bigint, author bigint, at timestamptz, body text, PRIMARY KEY (guild_id, id));
    CREATE TABLE message_copy (LIKE message INCLUDING ALL)`);
  await shards.sql(
    home,
    `INSERT INTO message SELECT $1, n, n * 7, now(), repeat('x', 60) || n FROM generate_series(1, ${MOVED_ROWS}) AS n`,
    [guild],
  );
  for (const text of ['VACUUM ANALYZE', 'CHECKPOINT']) await shards.everywhere(text);
  const table = new Table({
    head: [`${MOVED_ROWS.toLocaleString('en')} rows`, 'time', 'rows/s', 'ratio', 'write pause'],
    style: { head: [], border: [] },
  });
  const times = { copy: [] as number[], moved: [] as number[], done: [] as number[], pause: [] as number[] };
  let at = home;
  for (let round = 0; round < 3; round++) {
    times.copy.push(await psqlCopy(shards, at, guild));
    const since = performance.now();
    const onProgress = ({ phase }: MoveProgress): void => {
      if (phase === 'cleaning') times.moved.push(performance.now() - since);
    };
    const mover = new Mover({ connect: shards.connect, tables: { message: 'guild_id' }, onProgress });
    const { pauseMs } = await mover.move({ kind: 'guild', guildId: guild }, 1 - at);
    times.done.push(performance.now() - since);
    times.pause.push(pauseMs ?? Number.NaN);
    at = 1 - at;
    for (const text of ['VACUUM message', 'CHECKPOINT']) await shards.everywhere(text);
  }
  const copy = median(times.copy);
  const row = (what: string, ms: number, pause: string): string[] => [
    what,
    `${(ms / 1_000).toFixed(1)} s`,
    Math.round(MOVED_ROWS / (ms / 1_000)).toLocaleString('en'),
    (copy / ms).toFixed(2),
    pause,
  ];
  table.push(row('psql COPY out | COPY in, binary', copy, '-'));
  table.push(
    row('botctl: copied, compared, switched', median(times.moved), `${Math.max(...times.pause).toFixed(0)} ms`),
  );
  table.push(row('botctl: and deleted where they were', median(times.done), '-'));
  console.log('\nMove of a guild to another database shard');
  console.log(table.toString());
}

async function psqlCopy(shards: Shards, from: number, guild: bigint): Promise<number> {
  const to = shards.urls[1 - from] ?? '';
  await shards.sql(1 - from, 'TRUNCATE message_copy');
  const since = performance.now();
  const out = spawn(
    'psql',
    [shards.urls[from] ?? '', '-qc', `COPY (SELECT * FROM message WHERE guild_id = ${guild}) TO STDOUT BINARY`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const into = spawn('psql', [to, '-qc', 'COPY message_copy FROM STDIN BINARY'], {
    stdio: [out.stdout, 'inherit', 'inherit'],
  });
  const [code] = (await once(into, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`psql ended with ${code}`);
  return performance.now() - since;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
