import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeferQueue } from '../../../src/data/defer';
import { fdatasync } from '../../../src/data/defer/durable-file';
import { Scene, segments } from './scene';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.end());

const A = 10n;

/** Leaves a crashed folder with these statements of one guild in one file. */
async function journalOf(...statements: string[]): Promise<string> {
  scene.target.down.add(0);
  const queue = await scene.open();
  for (const sql of statements) await queue.defer(A, sql);
  const dir = scene.crashed();
  scene.target.down.clear();
  await queue.close();
  scene.target.applied.length = 0;
  scene.target.keys.clear();
  scene.target.down.clear();
  return dir;
}

/** What is executed when the folder is opened. */
async function replayOf(dir: string): Promise<string[]> {
  scene.target.applied.length = 0;
  scene.target.keys.clear();
  const queue = await scene.open({ dir });
  await expect(queue.flush({ timeoutMs: 5_000 })).resolves.toBe(0);
  await queue.close();
  return scene.target.statements;
}

test('a last record that is torn at any byte is cut off; the others are done', async () => {
  const whole = await journalOf('one', 'two', 'three');
  const [file = ''] = segments(whole);
  const bytes = readFileSync(file);
  const last = bytes.lastIndexOf(Buffer.from([0xd7, 0x0b, 0x4a, 0x01]));
  expect(bytes.length - last).toBeGreaterThan(60);
  for (let length = last; length < bytes.length; length += 1) {
    const dir = join(scene.base, `torn-${length}`);
    cpSync(whole, dir, { recursive: true });
    truncateSync(segments(dir)[0]!, length);
    scene.lines.length = 0;
    await expect(replayOf(dir)).resolves.toEqual(['one', 'two']);
    expect(scene.lines.filter((line) => line.includes('cut off'))).toHaveLength(length === last ? 0 : 1);
    expect(readdirSync(dir)).toEqual([]);
  }
  // Grown by the file system, with nothing in it.
  const zeros = join(scene.base, 'zeros');
  cpSync(whole, zeros, { recursive: true });
  writeFileSync(segments(zeros)[0]!, Buffer.concat([bytes.subarray(0, last + 30), Buffer.alloc(500)]));
  await expect(replayOf(zeros)).resolves.toEqual(['one', 'two']);
});

test('a damaged record is set aside, wherever it is damaged, and the others are done', async () => {
  const whole = await journalOf('one', 'two', 'three');
  const bytes = readFileSync(segments(whole)[0]!);
  const mark = Buffer.from([0xd7, 0x0b, 0x4a, 0x01]);
  const second = bytes.indexOf(mark, 1);
  const third = bytes.indexOf(mark, second + 1);
  const cases = [
    { from: second, to: third, left: ['one', 'three'] },
    { from: third, to: bytes.length, left: ['one', 'two'] },
  ];
  for (const { from, to, left } of cases) {
    for (let at = from; at < to; at += 3) {
      const dir = join(scene.base, `damaged-${at}`);
      cpSync(whole, dir, { recursive: true });
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0xff;
      writeFileSync(segments(dir)[0]!, damaged);
      scene.lines.length = 0;
      await expect(replayOf(dir)).resolves.toEqual(left);
      const [aside = '', ...more] = readdirSync(dir);
      expect(more).toEqual([]);
      expect(aside).toMatch(/^cluster-0-[0-9a-f]{16}\.corrupt$/);
      expect(readFileSync(join(dir, aside))).toEqual(damaged.subarray(from, to));
      expect(statSync(join(dir, aside)).mode & 0o777).toBe(0o600);
      expect(scene.lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
    }
  }
});

test('a damaged file is not lost when the damage cannot be set aside', async () => {
  const dir = await journalOf('one', 'two', 'three');
  const [file = ''] = segments(dir);
  const bytes = readFileSync(file);
  bytes[bytes.indexOf('two')]! ^= 0xff;
  writeFileSync(file, bytes);
  const mark = Buffer.from([0xd7, 0x0b, 0x4a, 0x01]);
  const start = bytes.indexOf(mark, 1);
  const bad = bytes.subarray(start, bytes.indexOf(mark, start + 1));
  const name = `cluster-0-${createHash('sha256').update(bad).digest('hex').slice(0, 16)}.corrupt`;
  const inTheWay = join(dir, `${name}.${process.pid}.tmp`);
  mkdirSync(join(inTheWay, 'folder'), { recursive: true });
  await expect(replayOf(dir)).resolves.toEqual(['one', 'three']);
  expect(segments(dir).some((path) => readFileSync(path).includes(bad))).toBe(true);
  rmSync(inTheWay, { recursive: true });
  scene.target.applied.length = 0;
  const again = await scene.open({ dir });
  await again.flush({ timeoutMs: 5_000 });
  await again.close();
  expect(readdirSync(dir)).toEqual([name]);
});

test.each([0, 1, 2, 3])(
  'a takeover that was killed after it moved %i of 3 files is taken over itself',
  async (moved) => {
    const sources: string[] = [];
    for (const name of ['one', 'two', 'three'])
      sources.push(readFileSync(segments(await journalOf(name)).at(-1)!, 'latin1'));
    const half = join(scene.base, 'half', 'cluster-0~0~0~1-aa.journal');
    const adopted = join(half, 'adopted-000001');
    // One that had been taken over by the one that was taken over.
    mkdirSync(join(adopted, 'adopted-000001'), { recursive: true });
    sources.forEach((bytes, at) => {
      const folder = at < moved ? half : at === 2 ? join(adopted, 'adopted-000001') : adopted;
      writeFileSync(join(folder, `000000000${at < moved ? at + 1 : 1 + (at % 2)}.log`), bytes, 'latin1');
    });
    writeFileSync(join(adopted, '0000000001.log.tmp'), 'a rewrite that was not finished');
    await expect(replayOf(join(scene.base, 'half'))).resolves.toEqual(['one', 'two', 'three']);
    expect(readdirSync(join(scene.base, 'half'))).toEqual([]);
  },
);

test('an fsync that fails: nothing is acknowledged before it is on disk in a new file', async () => {
  let failures = 0;
  let broken = false;
  const queue = await scene.open({
    sync: async (handle) => {
      if (broken && failures < 3) {
        failures += 1;
        throw Object.assign(new Error('input/output error'), { code: 'EIO' });
      }
      await fdatasync(handle);
    },
  });
  scene.target.down.add(0);
  await queue.defer(A, 'one');
  const { ino } = statSync(segments(scene.dir)[0]!);
  broken = true;
  await expect(queue.defer(A, 'lost')).rejects.toMatchObject({ code: 'UNAVAILABLE', outcomeUnknown: true });
  expect(failures).toBe(2); // of the file, and of the one that was to take its place
  await expect(queue.defer(A, 'lost')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(queue.defer(A, 'two')).resolves.toMatchObject({ outcome: 'queued' });
  expect(statSync(segments(scene.dir)[0]!).ino).not.toBe(ino);
  expect(queue.stats()).toMatchObject({ pending: 2, rejected: 2 });
  const dir = scene.crashed();
  scene.target.down.clear();
  await queue.flush({ timeoutMs: 5_000 });
  expect(scene.target.statements).toEqual(['one', 'two']);
  await expect(replayOf(dir)).resolves.toEqual(['one', 'two']);
});

test('many callers share one fsync', async () => {
  let syncs = 0;
  const queue = await scene.open({
    sync: async (handle) => {
      syncs += 1;
      await fdatasync(handle);
    },
  });
  scene.target.down.add(0);
  await queue.defer(A, 'first');
  await Promise.all(Array.from({ length: 500 }, (_, n) => queue.defer(A, `n ${n}`)));
  expect(syncs).toBeLessThanOrEqual(4);

  const perSecond = async (callers: number, calls: number): Promise<number> => {
    const start = performance.now();
    const caller = async (): Promise<void> => {
      for (let n = 0; n < calls; n += 1) await queue.defer(A, 'INSERT INTO t VALUES ($1, $2)', [n, 'x'.repeat(100)]);
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return Math.round((callers * calls * 1_000) / (performance.now() - start));
  };
  const alone = await perSecond(1, 200);
  const together = await perSecond(500, 20);
  console.log(`${alone} a second by 1 caller, ${together} by 500: ${(together / alone).toFixed(1)} times as many`);
});

const onSmallDisk = process.getuid?.() === 0 ? test : test.skip;
if (onSmallDisk === test.skip) console.log('No disk is filled up: it takes root to mount a small one.');

onSmallDisk('a full disk refuses, loses nothing, and is used again when there is room', async () => {
  const dir = join(scene.base, 'small');
  mkdirSync(dir);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'tmpfs', dir], { encoding: 'utf8' });
  if (mounted.status !== 0) {
    console.log(`No disk is filled up: ${mounted.stderr}`);
    return;
  }
  try {
    await fillUp(dir);
  } finally {
    spawnSync('umount', ['-l', dir]);
  }
});

async function fillUp(dir: string): Promise<void> {
  const queue = await DeferQueue.open({ dir, owner: 'cluster-0', target: scene.target, log: () => undefined });
  scene.target.down.add(0);
  const taken: string[] = [];
  const refused: unknown[] = [];
  for (let round = 0; refused.length < 10; round += 1) {
    const calls = Array.from({ length: 5 }, (_, n) => `${round}.${n} ${'x'.repeat(3_000)}`).map((sql) =>
      queue.defer(A, sql).then(
        () => taken.push(sql),
        (error: unknown) => refused.push(error),
      ),
    );
    await Promise.all(calls);
  }
  for (const error of refused) expect(error).toMatchObject({ name: 'DataError', code: 'DISK_FULL' });
  expect(taken.length).toBeGreaterThan(10);
  const small = 'small enough';
  scene.target.down.clear();
  await expect(queue.flush({ timeoutMs: 10_000 })).resolves.toBe(0);
  expect(scene.target.statements).toEqual(taken);
  scene.target.down.add(0);
  await expect(queue.defer(A, small)).resolves.toMatchObject({ outcome: 'queued' });
  await queue.close();
  scene.target.down.clear();
  const next = await DeferQueue.open({ dir, owner: 'cluster-0', target: scene.target, log: () => undefined });
  await next.flush({ timeoutMs: 10_000 });
  expect(scene.target.statements).toEqual([...taken, small]);
  await next.close();
}
