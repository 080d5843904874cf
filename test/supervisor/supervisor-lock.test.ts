import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { processStartTime } from '../../src/ipc/process-start-time';
import { AlreadyRunningError, readSupervisorRecord, SupervisorLock } from '../../src/supervisor/supervisor-lock';

const ABOUT = { version: '0.1.0', name: 'my-bot', sandbox: false };
const LOCK = resolve(__dirname, '../../dist/src/supervisor/supervisor-lock.js');
/** Takes the lock, says so, and holds it until it is killed. */
const HOLDER = `
  const { SupervisorLock } = require(${JSON.stringify(LOCK)});
  try {
    SupervisorLock.acquire(process.argv[1], ${JSON.stringify(ABOUT)});
    console.log('held');
    setInterval(() => undefined, 1000);
  } catch (error) {
    console.log(error.name);
  }`;

describe('SupervisorLock', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'botctl-lock-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('tells who holds the folder, from the start to the release', () => {
    const lock = SupervisorLock.acquire(dir, ABOUT);
    expect(readSupervisorRecord(dir)).toMatchObject({
      pid: process.pid,
      state: 'starting',
      name: 'my-bot',
      http: null,
    });
    lock.update({ state: 'running', http: 'http://127.0.0.1:9090' });
    expect(readSupervisorRecord(dir)).toMatchObject({ state: 'running', http: 'http://127.0.0.1:9090' });
    lock.release();
    expect(readSupervisorRecord(dir)).toBeNull();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('refuses a second holder, with the pid of the first', () => {
    const lock = SupervisorLock.acquire(dir, ABOUT);
    expect(() => SupervisorLock.acquire(dir, ABOUT)).toThrow(AlreadyRunningError);
    expect(() => SupervisorLock.acquire(dir, ABOUT)).toThrow(`process ${process.pid}`);
    lock.release();
  });

  it.each([
    ['of a process that is gone', { pid: 2 ** 22 - 1, startTime: '1' }],
    ['whose pid is another process now', { pid: process.pid, startTime: 'another time' }],
  ])('takes over a lock %s', (_, { pid, startTime }) => {
    writeFileSync(join(dir, 'supervisor.json'), JSON.stringify({ ...ABOUT, pid, startTime, state: 'running' }));
    SupervisorLock.acquire(dir, ABOUT).release();
    expect(existsSync(join(dir, 'supervisor.json'))).toBe(false);
  });

  it('takes over half a record, as a full disk or a crash may leave it', () => {
    writeFileSync(join(dir, 'supervisor.json'), '{"pid": 1');
    SupervisorLock.acquire(dir, ABOUT).release();
  });

  it('goes to exactly one of many processes that try at once over a stale lock', async () => {
    const stale = { ...ABOUT, pid: 2 ** 22 - 1, startTime: '1', state: 'running' };
    writeFileSync(join(dir, 'supervisor.json'), JSON.stringify(stale));
    const children = Array.from({ length: 6 }, () => spawn(process.execPath, ['-e', HOLDER, dir]));
    try {
      const words = await Promise.all(
        children.map(async (child) => String((await once(child.stdout, 'data'))[0]).trim()),
      );
      expect(words.sort()).toEqual([...Array<string>(5).fill('AlreadyRunningError'), 'held']);
      const holder = readSupervisorRecord(dir);
      expect(children.map(({ pid }) => pid)).toContain(holder?.pid);
      expect(processStartTime(holder?.pid ?? 0)).toBe(holder?.startTime);
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });
});
