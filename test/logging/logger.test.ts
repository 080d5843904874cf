import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { createLogger, type LoggingOptions } from '../../src/logging/logger';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'botctl-log-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

class Screen extends Writable {
  text = '';
  constructor(readonly isTTY: boolean) {
    super();
  }
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function logging(options: Partial<LoggingOptions>): ReturnType<typeof createLogger> {
  return createLogger({ level: 'info', format: 'auto', maxBytes: 10_000_000, secrets: [], env: {}, ...options });
}

function fileText(): string {
  return readdirSync(join(root, 'logs'))
    .map((name) => readFileSync(join(root, 'logs', name), 'utf8'))
    .join('');
}

test('a pipe gets JSON, and the file the same line', async () => {
  const stdout = new Screen(false);
  const { logger, close } = logging({ stdout, dir: join(root, 'logs') });
  logger.info({ cluster: 3, stream: 'stdout', extra: { a: 1 } }, 'hello');
  await close();
  expect(JSON.parse(stdout.text)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
    cluster: 3,
    stream: 'stdout',
    extra: { a: 1 },
    msg: 'hello',
  });
  expect(fileText()).toBe(stdout.text);
});

test('a terminal gets a readable line, in colour unless NO_COLOR says otherwise', async () => {
  const colored = new Screen(true);
  const plain = new Screen(true);
  for (const [stdout, env] of [
    [colored, {}],
    [plain, { NO_COLOR: '1' }],
  ] as const) {
    const { logger, close } = logging({ stdout, env });
    logger.warn({ cluster: 3, shard: 17 }, 'closed');
    await close();
  }
  expect(colored.text).toContain('\u001b[');
  expect(plain.text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: \[cluster 3\] closed \{"shard":17\}\n$/);
});

test("a bot's escape sequences do not reach the terminal, its colours do", async () => {
  const stdout = new Screen(true);
  const { logger, close } = logging({ stdout });
  logger.info('\u001b]0;title\u0007\u001b[2J\u001b[31mred\u001b[0m');
  await close();
  expect(stdout.text).not.toMatch(/\u001b\]|\u001b\[2J|\u0007/);
  expect(stdout.text).toContain('\u001b[31mred');
});

test('secrets reach no sink, also those learnt later and those inside errors', async () => {
  const stdout = new Screen(false);
  const { logger, redactor, close } = logging({ stdout, dir: join(root, 'logs'), secrets: ['token-of-the-bot'] });
  logger.error(
    { err: new Error('401 for token-of-the-bot'), url: 'https://x/?t=token-of-the-bot' },
    'token-of-the-bot',
  );
  redactor.add('hook-url');
  logger.child({ hook: 'hook-url' }).info('x');
  await close();
  expect(stdout.text).not.toMatch(/token-of-the-bot|hook-url/);
  expect(fileText()).toBe(stdout.text);
});

test('levels below the configured one are not written', async () => {
  const stdout = new Screen(false);
  const { logger, close } = logging({ stdout, level: 'warn' });
  logger.info('no');
  logger.warn('yes');
  await close();
  expect(stdout.text).toMatch(/^\{.*"yes"\}\n$/);
});

test('a reader who left does not end the writer, and the file goes on', async () => {
  const stdout = new PassThrough();
  const { logger, close } = logging({ stdout, dir: join(root, 'logs') });
  logger.info('one');
  stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  await new Promise(setImmediate);
  logger.info('two');
  await close();
  expect(fileText()).toMatch(/one[^]*two/);
});

test('a reader who stops reading does not fill the memory', async () => {
  const stdout = new PassThrough();
  const { logger, close } = logging({ stdout });
  const line = 'x'.repeat(100_000);
  for (let i = 0; i < 200; i++) logger.info(line);
  expect(stdout.writableLength).toBeLessThan(10 * 1024 * 1024);
  stdout.resume();
  await close();
});

test('30,000 lines are written in well under three seconds', async () => {
  const stdout = new Screen(false);
  const secrets = Array.from({ length: 10 }, (_, i) => `postgres://user:secret/${i}+x@host:5432/db`);
  const { logger, files, close } = logging({ stdout, dir: join(root, 'logs'), secrets });
  const child = logger.child({ cluster: 3 });
  const started = process.cpuUsage();
  for (let batch = 0; batch < 300; batch++) {
    for (let i = 0; i < 100; i++) child.info({ stream: 'stdout', shard: i }, 'an ordinary line of output of a bot');
    await new Promise(setImmediate);
  }
  await close();
  const cpuMs = process.cpuUsage(started).user / 1000;
  expect(files?.dropped).toBe(0);
  expect(fileText().split('\n')).toHaveLength(30_001);
  expect(cpuMs).toBeLessThan(3000);
});

test('survives a real closed pipe on stdout', async () => {
  const program = `
    const { createLogger } = require(${JSON.stringify(join(__dirname, '../../src/logging/logger.ts'))});
    const { logger, close } = createLogger({ level: 'info', format: 'json', maxBytes: 1e6, secrets: [], dir: process.argv[1] });
    let n = 0;
    const timer = setInterval(async () => {
      logger.info({ n: ++n }, 'line');
      if (n === 20) { clearInterval(timer); await close(); process.exitCode = 7; }
    }, 5);`;
  const child = spawn(process.execPath, ['--require', 'tsx/cjs', '-e', program, join(root, 'logs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code).toBe(7);
  expect(fileText()).toContain('"n":20');
});
