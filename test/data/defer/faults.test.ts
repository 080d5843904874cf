import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../../src/data/data-error';
import type { DeferQueue } from '../../../src/data/defer';
import { faultOf } from '../../../src/data/defer/failure';
import { backoffMs } from '../../../src/data/defer/shard-queue';
import type { Clock } from '../../../src/clock';
import { systemClock } from '../../../src/clock';
import { until } from '../../support/until';
import { databaseError } from './fake-target';
import { readLines, Scene } from './scene';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.end());

const A = 10n; // on shard 0

/** Takes shard 0 down and waits until the queue knows. */
async function queued(queue: DeferQueue, ...statements: string[]): Promise<void> {
  scene.target.down.add(0);
  for (const sql of statements) await expect(queue.defer(A, sql)).resolves.toMatchObject({ outcome: 'queued' });
}

test('a statement at fault is its caller’s when executed at once, and a dead letter when replayed', async () => {
  const queue = await scene.open();
  scene.target.onStatement = ({ sql }) => {
    if (sql === 'bad') throw databaseError('23505', 'value "secret" is there');
  };
  await expect(queue.defer(A, 'bad')).rejects.toMatchObject({ code: '23505' });
  await queued(queue, 'one');
  await queue.defer(A, 'bad', ['secret', Buffer.from('x')], { key: 'of bad' });
  await queue.defer(A, 'two');
  scene.target.down.clear();
  await queue.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['one', 'two']);
  expect(queue.stats()).toMatchObject({ pending: 0, deadLetters: 1, replayed: 2 });

  const file = join(scene.dir, 'cluster-0.dead-letters.jsonl');
  expect(readLines(file)).toMatchObject([
    { guild: '10', key: 'of bad', sql: 'bad', params: ['secret', { b: 'eA==' }], error: { code: '23505' } },
  ]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(scene.lines.filter((line) => line.includes('of bad'))).toHaveLength(1);
  expect(scene.lines.join('\n')).not.toContain('secret');
  await queue.close();
  expect((await scene.open()).stats().deadLetters).toBe(1);
});

test('a dead letter is not executed after a crash that forgot it was over', async () => {
  const queue = await scene.open();
  await queued(queue, 'bad');
  const before = scene.crashed();
  scene.target.onStatement = () => {
    throw databaseError('42P01');
  };
  scene.target.down.clear();
  await queue.flush({ timeoutMs: 5_000 });
  scene.target.onStatement = () => undefined;
  const letters = readFileSync(join(scene.dir, 'cluster-0.dead-letters.jsonl'));
  writeFileSync(join(before, 'cluster-0.dead-letters.jsonl'), letters);
  const again = await scene.open({ dir: before });
  expect(again.stats()).toMatchObject({ pending: 0, deadLetters: 1 });
  expect(scene.target.statements).toEqual([]);
});

test('the dead letters are bounded: the oldest make room, and that is said', async () => {
  const queue = await scene.open({ maxBytes: 2_000 });
  scene.target.onStatement = () => {
    throw databaseError('22P02');
  };
  for (let round = 0; round < 6; round += 1) {
    await queued(queue, `bad ${round} ${'x'.repeat(300)}`, `bad ${round} ${'y'.repeat(300)}`);
    scene.target.down.clear();
    await queue.flush({ timeoutMs: 5_000 });
  }
  const names = readdirSync(scene.dir).filter((name) => name.includes('dead-letters'));
  const bytes = names.reduce((sum, name) => sum + statSync(join(scene.dir, name)).size, 0);
  expect(bytes).toBeLessThan(6_000);
  expect(queue.stats().deadLetters).toBe(names.flatMap((name) => readLines(join(scene.dir, name))).length);
  expect(scene.lines.some((line) => line.includes('oldest are dropped'))).toBe(true);
});

test('a missing table of keys is not the statement’s fault', async () => {
  const queue = await scene.open();
  const { transaction } = scene.target;
  scene.target.transaction = (guildId, fn) =>
    transaction.call(scene.target, guildId, () =>
      fn({ query: () => Promise.reject(databaseError('42P01')) }),
    ) as ReturnType<typeof fn>;
  await expect(queue.defer(A, 'one')).resolves.toMatchObject({ outcome: 'queued' });
  scene.target.transaction = transaction;
  await queue.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['one']);
});

test('what fails for no known reason is given up after many tries and a long time', async () => {
  let now = Date.now();
  const clock: Clock = { now: () => now, after: (_, fn) => systemClock.after(0, fn) };
  const queue = await scene.open({ clock });
  let tries = 0;
  scene.target.onStatement = ({ sql }) => {
    if (sql !== 'slow') return;
    tries += 1;
    throw new DataError('STATEMENT_TIMEOUT', 'too slow');
  };
  await expect(queue.defer(A, 'slow')).resolves.toMatchObject({ outcome: 'queued' });
  await queue.defer(A, 'after');
  await until(() => tries > 40);
  expect(queue.stats()).toMatchObject({ pending: 2, deadLetters: 0 });
  now += 11 * 60_000;
  await until(() => queue.stats().pending === 0);
  expect(queue.stats()).toMatchObject({ deadLetters: 1, replayed: 1 });
  expect(scene.target.statements).toEqual(['after']);
});

test('waits grow to a bound and differ', () => {
  expect(backoffMs(1, () => 1)).toBe(100);
  expect(backoffMs(1, () => 0)).toBe(50);
  expect(backoffMs(500, () => 1)).toBe(1_500);
});

test.each([
  [databaseError('23505'), 'statement'],
  [databaseError('42601'), 'statement'],
  [databaseError('P0001'), 'statement'],
  [databaseError('57P03'), 'shard'],
  [databaseError('53100'), 'shard'],
  [databaseError('25006'), 'shard'],
  [databaseError('40P01'), 'guild'],
  [databaseError('57014'), 'unclear'],
  [new DataError('POOL_TIMEOUT', ''), 'shard'],
  [new DataError('GUILD_MOVED', ''), 'guild'],
  [Object.assign(new Error(), { code: 'EPIPE' }), 'unclear'],
  [null, 'unclear'],
])('fault of %#', (error, fault) => {
  expect(faultOf(error)).toBe(fault);
});
