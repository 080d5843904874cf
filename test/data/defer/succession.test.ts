import type { DeferQueue } from '../../../src/data/defer';
import { until } from '../../support/until';
import { Scene } from './scene';

let scene: Scene;
let before: DeferQueue;
beforeEach(async () => {
  scene = new Scene();
  before = await scene.open();
  scene.target.down.add(0);
});
afterEach(() => scene.end());

const A = 10n; // on shard 0
const B = 12n; // there, too

async function queued(queue: DeferQueue, guildId: bigint, ...statements: string[]): Promise<void> {
  for (const sql of statements) await expect(queue.defer(guildId, sql)).resolves.toMatchObject({ outcome: 'queued' });
}

/** A process that takes over while the one before it still lives. */
async function successor(): Promise<DeferQueue> {
  const queue = await scene.open();
  queue.succeed(before.pendingJournal ?? '');
  return queue;
}

test('nothing is pending: there is nothing to wait for', () => {
  expect(before.pendingJournal).toBeNull();
});

test('what the process before this one does itself comes first', async () => {
  await queued(before, A, 'one', 'two');
  const after = await successor();
  await queued(after, A, 'three');
  scene.target.down.clear();
  await until(() => before.pendingJournal === null);
  await queued(after, A, 'four');
  expect(scene.target.statements).toEqual(['one', 'two']);

  await before.close();
  await until(() => after.pendingJournal === null);
  expect(scene.target.statements).toEqual(['one', 'two', 'three', 'four']);
  await expect(after.defer(A, 'five')).resolves.toMatchObject({ outcome: 'done' });
});

test('what it leaves behind is taken over, and comes first', async () => {
  await queued(before, A, 'one', 'two');
  await queued(before, B, 'other guild');
  const after = await successor();
  await queued(after, A, 'three');
  await before.close();
  await until(() => after.stats().pending === 4);
  scene.target.down.clear();
  await expect(after.flush({ timeoutMs: 5_000 })).resolves.toBe(0);
  const ofA = scene.target.applied.filter(({ guildId }) => guildId === A).map(({ sql }) => sql);
  expect(ofA).toEqual(['one', 'two', 'three']);
  expect(scene.target.statements).toHaveLength(4);
});

test('a successor that is killed leaves both, in their order', async () => {
  await queued(before, A, 'one', 'two');
  const after = await successor();
  await queued(after, A, 'three');
  await before.close();
  await until(() => after.stats().pending === 3);
  const next = await scene.open({ dir: scene.crashed() });
  scene.target.down.clear();
  await expect(next.flush({ timeoutMs: 5_000 })).resolves.toBe(0);
  expect(scene.target.statements).toEqual(['one', 'two', 'three']);
});

test('a successor that stops while it waits leaves its own', async () => {
  await queued(before, A, 'one');
  const after = await successor();
  await queued(after, A, 'two');
  scene.target.down.clear();
  await until(() => before.pendingJournal === null);
  await after.close();
  expect(scene.target.statements).toEqual(['one']);
  const next = await scene.open();
  await expect(next.flush({ timeoutMs: 5_000 })).resolves.toBe(0);
  expect(scene.target.statements).toEqual(['one', 'two']);
});

test('a journal that somebody else has taken over is not waited for', async () => {
  scene.target.down.clear();
  const after = await scene.open();
  after.succeed('1-0000');
  await until(async () => (await after.defer(A, 'one')).outcome === 'done');
});

test('of several before it, all are waited for', async () => {
  await queued(before, A, 'one');
  const other = await scene.open({ owner: 'cluster-1' });
  await queued(other, B, 'two');
  const after = await successor();
  after.succeed(other.pendingJournal ?? '');
  await queued(after, A, 'three');
  await queued(after, B, 'four');
  await before.close();
  await until(() => after.stats().pending === 3);
  scene.target.down.clear();
  await until(() => other.pendingJournal === null);
  expect(scene.target.statements).toEqual(['two']);
  await other.close();
  await expect(after.flush({ timeoutMs: 5_000 })).resolves.toBe(0);
  const of = (guild: bigint): string[] =>
    scene.target.applied.filter(({ guildId }) => guildId === guild).map(({ sql }) => sql);
  expect([of(A), of(B)]).toEqual([['one', 'three'], ['two', 'four']]); // prettier-ignore
});
