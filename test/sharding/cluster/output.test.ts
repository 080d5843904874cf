import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OutputTail, type OutputLine } from '../../../src/sharding/cluster/output';

describe('OutputTail', () => {
  let dir: string;
  let file: string;
  let lines: OutputLine[];
  let full: number[];
  let tail: OutputTail;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-output-'));
    file = join(dir, 'out.log');
    lines = [];
    full = [];
  });

  afterEach(async () => {
    await tail.stop();
    rmSync(dir, { recursive: true });
  });

  function open(offset = 0): void {
    tail = new OutputTail({
      file,
      stream: 'out',
      offset,
      onLine: (line) => lines.push(line),
      onFull: (consumed) => full.push(consumed),
      onSkipped: () => undefined,
    });
    tail.start();
  }

  const texts = (): string[] => lines.map(({ text }) => text);

  test('hands on whole lines, also when they come in pieces and in several bytes', async () => {
    open();
    const bytes = Buffer.from('grüße 👋\r\n');
    appendFileSync(file, bytes.subarray(0, 3));
    await tail.flush();
    appendFileSync(file, bytes.subarray(3, 10));
    await tail.flush();
    expect(texts()).toEqual([]);
    appendFileSync(file, bytes.subarray(10));
    await tail.flush();
    expect(texts()).toEqual(['grüße 👋']);
  });

  test('keeps JSON lines as JSON', async () => {
    open();
    appendFileSync(file, '{"level":30,"msg":"hi","guild":"1"}\n{not json}\n[1]\n');
    await tail.flush();
    expect(lines.map(({ fields }) => fields)).toEqual([{ level: 30, msg: 'hi', guild: '1' }, null, null]);
  });

  test('hands on the unfinished last words of a process at the end', async () => {
    open();
    appendFileSync(file, 'panic without newline');
    await tail.stop();
    expect(texts()).toEqual(['panic without newline']);
  });

  test('goes on where an earlier supervisor stopped reading', async () => {
    writeFileSync(file, 'old\nnew\n');
    open(4);
    await tail.flush();
    expect(texts()).toEqual(['new']);
  });

  test('asks for the file to be emptied, loses nothing of what came meanwhile, and repeats nothing', async () => {
    writeFileSync(file, `${'x'.repeat(60_000)}\n`.repeat(150));
    open();
    await tail.flush();
    expect(full).toEqual([statSync(file).size]);
    appendFileSync(file, 'meanwhile\n');
    // What the agent does in one tick:
    const rest = readFileSync(file).subarray(full[0]);
    truncateSync(file, 0);
    tail.rotated(true, rest.toString('base64'));
    appendFileSync(file, 'after\n');
    await tail.flush();
    expect(texts().slice(150)).toEqual(['meanwhile', 'after']);
    expect(tail.offset).toBe(6);
  });

  test('a file that was emptied while nobody read is read from its start', async () => {
    writeFileSync(file, 'one\n');
    open();
    await tail.flush();
    truncateSync(file, 0);
    await tail.flush();
    appendFileSync(file, 'x\n');
    await tail.flush();
    expect(texts()).toEqual(['one', 'x']);
  });

  test('cuts a line that never ends', async () => {
    open();
    appendFileSync(file, 'y'.repeat(200_000));
    await tail.flush();
    expect(lines).toHaveLength(1);
    expect(lines[0]!.text).toMatch(/… \(cut, 200000 characters\)$/);
  });
});
