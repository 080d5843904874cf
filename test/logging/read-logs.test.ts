import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLogs, type LogLine, type ReadLogsOptions } from '../../src/logging/read-logs';
import { RollingFiles } from '../../src/logging/rolling-files';

let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'botctl-read-'));
  dir = join(root, 'logs');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const line = (n: number, fields: object = {}): string => `${JSON.stringify({ n, time: n * 1000, ...fields })}\n`;

function file(number: number, text: string): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `botctl.00000${number}.log`), text);
}

async function read(options: Partial<ReadLogsOptions>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { record } of readLogs({ dir, lines: 100, follow: false, ...options })) found.push(record['n']);
  return found;
}

/** Reads on until `until` lines have come. */
async function collect(lines: AsyncIterable<LogLine>, until: number, abort: AbortController): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { record } of lines) {
    found.push(record['n']);
    if (found.length === until) abort.abort();
  }
  return found;
}

describe('readLogs', () => {
  test('nothing there is no error', async () => {
    expect(await read({})).toEqual([]);
  });

  test('the last lines over several files, in order', async () => {
    file(1, line(1) + line(2));
    file(2, line(3) + line(4));
    file(3, line(5));
    expect(await read({})).toEqual([1, 2, 3, 4, 5]);
    expect(await read({ lines: 3 })).toEqual([3, 4, 5]);
    expect(await read({ lines: 0 })).toEqual([]);
  });

  test('by cluster and by time; half lines are skipped', async () => {
    file(1, line(1, { cluster: 3 }) + '{"half\n' + line(2, { cluster: 30 }) + line(3, { cluster: 3 }) + '{"torn');
    expect(await read({ cluster: 3 })).toEqual([1, 3]);
    expect(await read({ since: 2000 })).toEqual([2, 3]);
    expect(await read({ cluster: 3, since: 2000, lines: 1 })).toEqual([3]);
  });

  test('follows through rotation without losing or doubling a line', async () => {
    const files = new RollingFiles({ dir, maxBytes: 1_000_000, onRecovered: jest.fn() });
    const abort = new AbortController();
    files.write(line(0));
    await files.flush();
    const reading = collect(readLogs({ dir, lines: 10_000, follow: true, signal: abort.signal }), 4000, abort);
    for (let n = 1; n < 4000; n++) {
      files.write(line(n, { pad: 'x'.repeat(60) }));
      if (n % 400 === 0) await files.flush();
    }
    expect(await reading).toEqual(Array.from({ length: 4000 }, (_, n) => n));
    await files.close();
  });

  test('follows a folder that does not exist yet, and one that was emptied', async () => {
    const abort = new AbortController();
    const seen: unknown[] = [];
    const waiting = new Map<number, () => void>();
    const reading = (async () => {
      for await (const { record } of readLogs({ dir, lines: 10, follow: true, signal: abort.signal })) {
        seen.push(record['n']);
        waiting.get(seen.length)?.();
      }
    })();
    const count = (n: number): Promise<void> => new Promise((resolve) => waiting.set(n, resolve));
    const first = count(1);
    file(5, line(1));
    await first;
    const second = count(2);
    rmSync(dir, { recursive: true });
    file(1, line(2));
    await second;
    abort.abort();
    await reading;
    expect(seen).toEqual([1, 2]);
  });
});
