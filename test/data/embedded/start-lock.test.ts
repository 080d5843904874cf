import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withStartLock } from '../../../src/data/embedded/start-lock';

let dir: string;
let file: string;
const { signal } = new AbortController();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-lock-'));
  file = join(dir, 'start.lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('lets one work at a time, and leaves nothing behind', async () => {
  let inside = 0;
  const most: number[] = [];
  const work = async (): Promise<void> => {
    most.push((inside += 1));
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 4 }, () => withStartLock(file, signal, work)));
  expect(most).toEqual([1, 1, 1, 1]);
  expect(readdirSync(dir)).toEqual([]);
});

test.each([
  ['a holder that is gone', JSON.stringify({ pid: process.pid, startTime: 'long ago' })],
  ['an unreadable file', '{'],
])('%s does not hold it', async (_, text) => {
  writeFileSync(file, text);
  await expect(withStartLock(file, signal, () => Promise.resolve('done'))).resolves.toBe('done');
});

test('is given back when the work fails', async () => {
  await expect(withStartLock(file, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(file)).toBe(false);
});

test('a waiter can be called off', async () => {
  const abort = new AbortController();
  await withStartLock(file, signal, async () => {
    const waiter = expect(withStartLock(file, abort.signal, () => Promise.resolve())).rejects.toMatchObject({
      code: 'EMBEDDED_ABORTED',
    });
    abort.abort();
    await waiter;
  });
});
