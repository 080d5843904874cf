import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SdNotify } from '../../src/supervisor/sd-notify';

let dir: string;
let errors: string[];
let notify: SdNotify;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sd-notify-'));
  errors = [];
});

afterEach(() => {
  notify.close();
  for (const pid of lines('pids')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // it has ended
    }
  }
  rmSync(dir, { recursive: true, force: true });
});

function program(body: string): void {
  const file = join(dir, 'systemd-notify');
  writeFileSync(file, `#!/bin/sh\necho $$ >> "${dir}/pids"\necho "$1" >> "${dir}/said"\n${body}\n`);
  chmodSync(file, 0o755);
  const env = { PATH: `${dir}:${process.env['PATH']}`, NOTIFY_SOCKET: join(dir, 'socket') };
  notify = new SdNotify(env, (message) => errors.push(message));
}

function lines(name: string): string[] {
  const file = join(dir, name);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition was not met within 10 s');
    await delay(20);
  }
}

test('tells systemd that the service is ready', async () => {
  program('exit 0');
  notify.ready();
  await until(() => lines('said').includes('READY=1'));
  expect(errors).toEqual([]);
});

test('reports a systemd-notify that fails', async () => {
  program('exit 3');
  notify.stopping();
  await until(() => errors.length > 0);
  expect(errors).toEqual(['systemd could not be told "STOPPING=1": systemd-notify ended with 3']);
});

test('does not pile up hung programs, kills them, and then says only the latest', async () => {
  program('exec sleep 60');
  for (let i = 0; i < 20; i++) notify.status(String(i));
  await until(() => lines('said').length === 2);
  expect(lines('said')).toEqual(['STATUS=0', 'STATUS=19']);
  expect(errors).toEqual(['systemd could not be told "STATUS=0": systemd-notify ended with SIGKILL']);
});
