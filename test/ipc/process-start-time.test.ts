import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { processStartTime } from '../../src/ipc/process-start-time';
import { until } from '../support/until';

describe('processStartTime', () => {
  it('is the same for one process at any time, and another for another process', async () => {
    const own = processStartTime(process.pid);
    expect(own).toMatch(/\d/);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
    try {
      await until(() => processStartTime(child.pid ?? 0) !== null);
      expect(processStartTime(child.pid ?? 0)).not.toBe(own);
      expect(processStartTime(process.pid)).toBe(own);
    } finally {
      child.kill('SIGKILL');
    }
    await once(child, 'exit');
    expect(processStartTime(child.pid ?? 0)).toBeNull();
  });

  it('is null for a zombie: a process that has ended, but whose parent does not collect it', async () => {
    // A shell that becomes `sleep` never waits for the child it has started.
    const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const pid = Number(String((await once(parent.stdout, 'data'))[0]));
      await until(() => /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
      expect(processStartTime(pid)).toBeNull();
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('is null for a pid that nobody has', () => {
    expect(processStartTime(2 ** 22 - 1)).toBeNull();
  });
});
