import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerLog } from '../../../src/data/embedded/server-log';

let dir: string;
let log: ServerLog;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-log-'));
  log = new ServerLog(join(dir, 'server.log'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('tells the last lines written since an offset', () => {
  expect(log.tail()).toBe('');
  appendFileSync(log.file, 'old\n');
  const offset = log.size();
  appendFileSync(log.file, 'a\n\n b \nc\n');
  expect(log.tail(offset)).toBe('a | b | c');
  expect(log.tail(offset, 1)).toBe('c');
  expect(log.tail(1_000)).toBe('old | a | b | c');
});

test('moves a large log aside', () => {
  appendFileSync(log.file, 'small\n');
  log.bound();
  expect(log.size()).toBe(6);
  appendFileSync(log.file, Buffer.alloc(8 * 1024 * 1024));
  log.bound();
  expect(log.size()).toBe(0);
  expect(statSync(`${log.file}.1`).size).toBe(8 * 1024 * 1024 + 6);
});
