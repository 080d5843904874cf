import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * How many cores the processes of this host may keep busy: the quota of the control groups (version 2 or 1) around this
 * process, where there is one, else those of the machine.
 * @param root where /proc and /sys are
 */
export function cpuRoom(root = '/'): { cores: number; source: 'cgroup' | 'host' } {
  const quotas = (read(join(root, 'proc/self/cgroup')) ?? '').split('\n').flatMap((line) => {
    const [, controllers = '', path = '/'] = line.split(':');
    if (controllers === '') return upwards(join(root, 'sys/fs/cgroup'), path, quotaV2);
    return controllers.split(',').includes('cpu') ? upwards(join(root, 'sys/fs/cgroup/cpu'), path, quotaV1) : [];
  });
  const cores = availableParallelism();
  const quota = Math.min(...quotas);
  return quota < cores ? { cores: quota, source: 'cgroup' } : { cores, source: 'host' };
}

/** Cores of the machine that were busy since the last call. */
export class BusyCores {
  #last = totals();

  read(): number {
    const before = this.#last;
    const now = totals();
    this.#last = now;
    const elapsed = now.all - before.all;
    return elapsed <= 0 ? NaN : ((now.busy - before.busy) / elapsed) * now.cores;
  }
}

function totals(): { cores: number; busy: number; all: number } {
  const cores = cpus();
  const all = cores.reduce((sum, { times }) => sum + Object.values(times).reduce((a, b) => a + b), 0);
  const idle = cores.reduce((sum, { times }) => sum + times.idle, 0);
  return { cores: cores.length, busy: all - idle, all };
}

/** A quota anywhere above holds too. */
function upwards(mount: string, path: string, quotaIn: (dir: string) => number | null): number[] {
  const found: number[] = [];
  for (let at = path; ; at = dirname(at)) {
    const quota = quotaIn(join(mount, at));
    if (quota !== null) found.push(quota);
    if (at === '/' || at === '.') return found;
  }
}

function quotaV2(dir: string): number | null {
  const [quota, period] = (read(join(dir, 'cpu.max')) ?? '').trim().split(' ').map(Number);
  return share(quota, period);
}

function quotaV1(dir: string): number | null {
  return share(Number(read(join(dir, 'cpu.cfs_quota_us')) ?? NaN), Number(read(join(dir, 'cpu.cfs_period_us')) ?? NaN));
}

/** `max` and -1 stand for no quota. */
function share(quota = NaN, period = NaN): number | null {
  return quota > 0 && period > 0 ? quota / period : null;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // another version, or no control groups at all
  }
}
