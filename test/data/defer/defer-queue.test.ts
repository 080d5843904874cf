import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../../src/data/data-error';
import type { DeferQueue } from '../../../src/data/defer';
import { until } from '../../support/until';
import { gate } from './fake-target';
import { Scene, segments } from './scene';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.end());

const A = 10n; // on shard 0
const B = 11n; // on shard 1

/** Takes shard 0 down and waits until the queue knows. */
async function queued(queue: DeferQueue, ...statements: string[]): Promise<void> {
  scene.target.down.add(0);
  for (const sql of statements) await expect(queue.defer(A, sql)).resolves.toMatchObject({ outcome: 'queued' });
}

test('executes at once while the shard is up, once by key, and writes nothing', async () => {
  const queue = await scene.open();
  await expect(queue.defer(A, 'one', [1], { key: 'k' })).resolves.toEqual({ outcome: 'done', key: 'k' });
  await expect(queue.defer(A, 'one', [1], { key: 'k' })).resolves.toEqual({ outcome: 'duplicate', key: 'k' });
  await expect(queue.defer(B, 'two', [], { key: 'k' })).resolves.toMatchObject({ outcome: 'done' });
  expect(scene.target.applied).toEqual([
    { guildId: A, sql: 'one', params: ['1'] },
    { guildId: B, sql: 'two', params: [] },
  ]);
  expect(queue.stats()).toMatchObject({ pending: 0, bytes: 0, diskBytes: 0, duplicates: 1, oldestAgeMs: null });
});

test('keeps what cannot be executed now, and does it in order when the shard is back', async () => {
  const queue = await scene.open();
  await queued(queue, 'one', 'two');
  await expect(queue.defer(B, 'other shard')).resolves.toMatchObject({ outcome: 'done' });
  expect(queue.stats()).toMatchObject({ pending: 2, byShard: [{ shard: 0, pending: 2, down: true }] });
  expect(queue.stats().oldestAgeMs).toBeGreaterThanOrEqual(0);

  const back = performance.now();
  scene.target.down.clear();
  await expect(queue.defer(A, 'three')).resolves.toMatchObject({ outcome: 'queued' });
  await until(() => queue.stats().pending === 0);
  expect(performance.now() - back).toBeLessThan(2_000);
  expect(scene.target.statements).toEqual(['other shard', 'one', 'two', 'three']);
  expect(queue.stats()).toMatchObject({ replayed: 3, byShard: [] });
  await expect(queue.defer(A, 'four')).resolves.toMatchObject({ outcome: 'done' });
});

test('calls of one guild that overlap keep their order when the first of them fails', async () => {
  const queue = await scene.open();
  const { opened, open } = gate();
  scene.target.onStatement = () => opened;
  const calls = ['one', 'two', 'three'].map((sql) => queue.defer(A, sql));
  await until(() => scene.target.attempts === 1);
  scene.target.down.add(0);
  open();
  expect((await Promise.all(calls)).map(({ outcome }) => outcome)).toEqual(['queued', 'queued', 'queued']);
  scene.target.down.clear();
  await expect(queue.flush({ timeoutMs: 5_000 })).resolves.toBe(0);
  expect(scene.target.statements).toEqual(['one', 'two', 'three']);
});

test('a connection that breaks at COMMIT: the key tells that it was done', async () => {
  const queue = await scene.open();
  scene.target.onCommitted = () => {
    scene.target.onCommitted = () => undefined;
    throw new DataError('UNAVAILABLE', 'the connection broke', { outcomeUnknown: true });
  };
  await expect(queue.defer(A, 'one')).resolves.toMatchObject({ outcome: 'queued' });
  await queue.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['one']);
  expect(queue.stats()).toMatchObject({ pending: 0, replayed: 1, duplicates: 1 });
});

test('an entry that comes the moment the last one was replayed is executed at once', async () => {
  const queue = await scene.open();
  scene.target.onStatement = ({ sql }) => (sql === 'two' ? new Promise((resolve) => setImmediate(resolve)) : undefined);
  for (let hops = 0; hops < 12; hops += 1) {
    await queued(queue, 'one');
    scene.target.down.clear();
    let next: Promise<{ outcome: string }> | null = null;
    const onCommitted = async (): Promise<void> => {
      for (let hop = 0; hop < hops; hop += 1) await Promise.resolve();
      next = queue.defer(A, 'two');
    };
    scene.target.onCommitted = () => {
      scene.target.onCommitted = () => undefined;
      void onCommitted();
    };
    await until(() => next !== null);
    await expect(next).resolves.toMatchObject({ outcome: expect.stringMatching(/done|queued/) as string });
    await queue.flush({ timeoutMs: 5_000 });
  }
  expect(scene.target.statements).toEqual(Array.from({ length: 12 }, () => ['one', 'two']).flat());
});

test('closing ends what is under way and keeps what waits', async () => {
  const queue = await scene.open();
  const { opened, open } = gate();
  scene.target.onStatement = () => opened;
  const calls = ['one', 'two', 'three'].map((sql) => queue.defer(A, sql));
  await until(() => scene.target.attempts === 1);
  const closed = queue.close();
  open();
  expect((await Promise.all(calls)).map(({ outcome }) => outcome)).toEqual(['done', 'queued', 'queued']);
  await closed;
  await (await scene.open()).flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['one', 'two', 'three']);
});

test('flush ends in time while the shard stays down, and says what is left', async () => {
  const queue = await scene.open();
  await queued(queue, 'one');
  await expect(queue.flush({ timeoutMs: 50 })).resolves.toBe(1);
});

test.each([
  ['entries', { maxEntries: 2 }, 'x'],
  ['bytes', { maxBytes: 600 }, 'x'.repeat(150)],
])('bounded by %s: what is too much is refused, and nothing of it is kept', async (_, bound, sql) => {
  const queue = await scene.open(bound);
  await queued(queue, sql, sql);
  await expect(queue.defer(A, sql)).rejects.toMatchObject({ name: 'DataError', code: 'QUEUE_FULL' });
  await expect(queue.defer(12n, sql)).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  await expect(queue.defer(B, 'at once')).resolves.toMatchObject({ outcome: 'done' });
  expect(queue.stats()).toMatchObject({ pending: 2, rejected: 2 });
  scene.target.down.clear();
  await queue.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['at once', sql, sql]);
  await expect(queue.defer(A, sql)).resolves.toMatchObject({ outcome: 'done' });
});

test('a shard whose server hangs does not hold up another', async () => {
  const queue = await scene.open();
  scene.target.down.add(0).add(1);
  await Promise.all(Array.from({ length: 60 }, (_, guild) => queue.defer(BigInt(guild), 'later')));
  const { opened, open } = gate();
  scene.target.onStatement = ({ guildId }) => (guildId % 2n === 0n ? opened : undefined);
  scene.target.down.clear();
  await until(() => scene.target.applied.length === 30);
  expect(queue.stats().byShard).toMatchObject([{ shard: 0, pending: 30 }]);
  open();
  await expect(queue.flush({ timeoutMs: 5_000 })).resolves.toBe(0);
});

test('what is pending is done by the next process, before what comes new', async () => {
  const queue = await scene.open();
  await queued(queue, 'one', 'two');
  await queue.close();
  await expect(queue.defer(A, 'late')).rejects.toMatchObject({ code: 'CLOSED' });
  const next = await scene.open();
  await expect(next.defer(A, 'three')).resolves.toMatchObject({ outcome: 'queued' });
  expect(next.stats().pending).toBe(3);
  scene.target.down.clear();
  await next.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['one', 'two', 'three']);
  await next.close();
  expect(readdirSync(scene.dir)).toEqual([]);
});

test('journals of other owners are taken over when asked for', async () => {
  const queue = await scene.open({ owner: 'cluster-1' });
  await queued(queue, 'one', 'two');
  await queue.close();
  const supervisor = await scene.open({ owner: 'supervisor' });
  expect(supervisor.stats().pending).toBe(0);
  await expect(supervisor.adoptOrphans((owner) => owner !== 'cluster-1')).resolves.toBe(0);
  await expect(supervisor.adoptOrphans()).resolves.toBe(2);
  await expect(supervisor.adoptOrphans()).resolves.toBe(0);
  scene.target.down.clear();
  await supervisor.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['one', 'two']);
});

test('what is taken over while the guild is busy comes after', async () => {
  const other = await scene.open({ owner: 'cluster-1' });
  await queued(other, 'theirs');
  await other.close();
  scene.target.down.clear();
  const queue = await scene.open();
  const { opened, open } = gate();
  scene.target.onStatement = () => opened;
  const calls = [queue.defer(A, 'ours 1'), queue.defer(A, 'ours 2')];
  await until(() => scene.target.attempts > 0);
  await expect(queue.adoptOrphans()).resolves.toBe(1);
  open();
  expect((await Promise.all(calls)).map(({ outcome }) => outcome)).toEqual(['done', 'queued']);
  await queue.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['ours 1', 'ours 2', 'theirs']);
});

test('folders and files are ours alone', async () => {
  const queue = await scene.open();
  await queued(queue, 'one');
  expect(statSync(scene.dir).mode & 0o777).toBe(0o700);
  const [file = ''] = segments(scene.dir);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
});

test('the files stay small while entries come and go', async () => {
  const queue = await scene.open({ maxBytes: 1024 * 1024 });
  const stuck = gate();
  scene.target.onStatement = ({ guildId }) => (guildId === A ? stuck.opened : undefined);
  const sql = 'x'.repeat(2_000);
  await queued(queue, sql);
  for (let round = 0; round < 12; round += 1) {
    scene.target.down.add(0);
    await Promise.all(Array.from({ length: 200 }, (_, guild) => queue.defer(BigInt(100 + 2 * guild), sql)));
    scene.target.down.clear();
    await until(() => queue.stats().pending === 1);
  }
  const { bytes, diskBytes } = queue.stats();
  expect(bytes).toBeLessThan(4_000);
  expect(diskBytes).toBeLessThan(1024 * 1024);
  const onDisk = segments(scene.dir).reduce((sum, file) => sum + statSync(file).size, 0);
  expect(onDisk).toBeLessThan(1024 * 1024);
  const after = await scene.open({ dir: scene.crashed() });
  expect(after.stats().pending).toBeGreaterThanOrEqual(1);
  stuck.open();
});

test.each(['', 'a/b', '.x', 'a~b'])('%j cannot be an owner', async (owner) => {
  await expect(scene.open({ owner })).rejects.toThrow(RangeError);
});

test.each(['', 'a\0b', 'x'.repeat(513)])('key %#: is refused', async (key) => {
  const queue = await scene.open();
  await expect(queue.defer(A, 'one', [], { key })).rejects.toThrow(RangeError);
});
