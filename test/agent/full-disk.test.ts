import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const OUTLAST = `require(${JSON.stringify(join(ROOT, 'dist/src/agent/full-disk.js'))}).outlastFullDisk();`;
/** Larger than the file may get. */
const FLOOD = `
  let left = 100;
  const timer = setInterval(() => {
    console.log('x'.repeat(1000));
    console.error('y'.repeat(1000));
    if (--left === 0) clearInterval(timer);
  }, 1);`;
const PINO = `const log = require(${JSON.stringify(require.resolve('pino'))})(); for (let n = 0; n < 500; n++) log.info('x'.repeat(1000));`;

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'botctl-disk-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs a program with its output in files that may not grow beyond 32 kB, which to it is as a full disk is. */
function run(program: string): number | null {
  const out = openSync(join(dir, 'out'), 'w');
  const err = openSync(join(dir, 'err'), 'w');
  try {
    // Node would be killed by the signal of the limit, were it not ignored.
    const script = `trap '' XFSZ; ulimit -f 64; exec "$0" -e "$1"`;
    return spawnSync('/bin/sh', ['-c', script, process.execPath, program], {
      stdio: ['ignore', out, err],
      timeout: 10_000,
      killSignal: 'SIGKILL',
    }).status;
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

it('a full disk would end a process that prints', () => expect(run(`${FLOOD} process.exitCode = 7;`)).toBe(1));

it.each([
  ['console', FLOOD],
  ['pino', PINO],
])('what is printed by %s is lost, and the process goes on', (_, program) => {
  expect(run(`${OUTLAST} ${program} process.exitCode = 7;`)).toBe(7);
});

it('other errors are thrown as ever', () => {
  const program = `${OUTLAST} const fs = require('fs'); try { fs.writeSync(99, 'x'); } catch (e) { process.exitCode = e.code === 'EBADF' ? 7 : 1; }`;
  expect(run(program)).toBe(7);
});
