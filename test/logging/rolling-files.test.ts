import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RollingFiles } from '../../src/logging/rolling-files';

let root: string;
let dir: string;
const open: RollingFiles[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'botctl-files-'));
  dir = join(root, 'logs');
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((files) => files.close()));
  rmSync(root, { recursive: true, force: true });
});

function rolling(maxBytes: number, onRecovered = jest.fn(), now = Date.now): RollingFiles {
  const files = new RollingFiles({ dir, maxBytes, onRecovered, now });
  open.push(files);
  return files;
}

const names = (): string[] => readdirSync(dir).sort();
const content = (): string =>
  names()
    .map((name) => readFileSync(join(dir, name), 'utf8'))
    .join('');
const total = (): number => names().reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

test('writes lines in order into an owner-only file in an owner-only folder', async () => {
  const files = rolling(1_000_000);
  for (let i = 0; i < 1000; i++) files.write(`line ${i}\n`);
  await files.flush();
  expect(content()).toBe(Array.from({ length: 1000 }, (_, i) => `line ${i}\n`).join(''));
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(statSync(join(dir, names()[0]!)).mode & 0o777).toBe(0o600);
});

test('all files together never exceed the budget, and the newest lines are the ones kept', async () => {
  const files = rolling(10_000);
  let highest = 0;
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < 20; j++) files.write(`${String(i * 20 + j).padStart(49, '0')}\n`);
    await files.flush();
    highest = Math.max(highest, total());
  }
  expect(highest).toBeLessThanOrEqual(10_000);
  expect(highest).toBeGreaterThan(8_000);
  const kept = content().trimEnd().split('\n').map(Number);
  expect(kept.at(-1)).toBe(1999);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 2000 - kept.length + i));
});

test('goes on in the newest file of an earlier run, after the half line that a crash left', async () => {
  mkdirSync(dir);
  writeFileSync(join(dir, 'botctl.000007.log'), 'whole\nhal');
  const files = rolling(1_000_000);
  files.write('next\n');
  await files.flush();
  expect(names()).toEqual(['botctl.000007.log']);
  expect(content()).toBe('whole\nhal\nnext\n');
  expect(statSync(join(dir, names()[0]!)).mode & 0o777).toBe(0o600);
});

test('a smaller budget than in the last run is kept from the first line on', async () => {
  mkdirSync(dir);
  for (const n of [1, 2, 3]) writeFileSync(join(dir, `botctl.00000${n}.log`), 'x'.repeat(5_000));
  const files = rolling(6_000);
  files.write('new\n');
  await files.flush();
  expect(total()).toBeLessThanOrEqual(6_000);
  expect(content()).toContain('new\n');
});

test('a disk that refuses costs lines, which are counted and told once when it is over', async () => {
  const recovered = jest.fn();
  writeFileSync(dir, 'a file stands where the folder should be');
  const files = rolling(1_000_000, recovered);
  for (let i = 0; i < 5; i++) files.write('lost\n');
  await files.flush();
  files.write('lost\n');
  await files.flush();
  expect(recovered).not.toHaveBeenCalled();
  rmSync(dir);
  files.write('kept\n');
  files.write('kept\n');
  await files.flush();
  expect(content()).toBe('kept\nkept\n');
  expect(recovered).toHaveBeenCalledTimes(1);
  expect(recovered).toHaveBeenCalledWith(6, expect.stringMatching(/EEXIST|ENOTDIR/));
  expect(files.dropped).toBe(6);
});

test('a full disk is survived (a real one)', async () => {
  mkdirSync(dir);
  const recovered = jest.fn();
  const files = rolling(1_000_000, recovered);
  // /dev/full answers every write with ENOSPC.
  symlinkSync('/dev/full', join(dir, 'botctl.000001.log'));
  files.write('lost\n');
  await files.flush();
  expect(files.dropped).toBe(1);
  unlinkSync(join(dir, 'botctl.000001.log'));
  files.write('kept\n');
  await files.flush();
  expect(content()).toBe('kept\n');
  expect(recovered).toHaveBeenCalledWith(1, expect.stringContaining('ENOSPC'));
});

test('a folder that somebody emptied is noticed', async () => {
  let now = 0;
  const files = rolling(1_000_000, jest.fn(), () => now);
  files.write('one\n');
  await files.flush();
  rmSync(dir, { recursive: true });
  now += 1000;
  files.write('two\n');
  await files.flush();
  expect(content()).toBe('two\n');
});

test('a line longer than a file is dropped, not half written', async () => {
  const files = rolling(1_000);
  files.write(`${'x'.repeat(200)}\n`);
  files.write('short\n');
  await files.flush();
  expect(content()).toBe('short\n');
  expect(files.dropped).toBe(1);
});

test('flushSync writes what is pending in the last moment of a process', async () => {
  const files = rolling(1_000_000);
  files.write('one\n');
  await files.flush();
  files.write('two\n');
  files.flushSync();
  expect(content()).toBe('one\ntwo\n');
  await files.close();
  files.write('after the end\n');
  appendFileSync(join(dir, 'other.txt'), '');
  expect(content()).toBe('one\ntwo\n');
});
