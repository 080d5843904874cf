import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

/** How much memory there is for this process and its neighbours, bytes. */
export interface MemoryRoom {
  limitBytes: number;
  /** Without what the kernel gives back at once (page cache that was not used lately). */
  usedBytes: number;
  source: 'cgroup' | 'host';
}

/** Files of one version of control groups. */
interface Dialect {
  limit: string;
  used: string;
  /** Key in memory.stat of page cache that can be dropped. */
  droppable: string;
}

const V2: Dialect = { limit: 'memory.max', used: 'memory.current', droppable: 'inactive_file' };
const V1: Dialect = {
  limit: 'memory.limit_in_bytes',
  used: 'memory.usage_in_bytes',
  droppable: 'total_inactive_file',
};

/**
 * The narrowest room around this process: the tightest limit of its control groups (version 2 or 1), else the machine.
 * @param root where /proc and /sys are
 */
export function memoryRoom(root = '/'): MemoryRoom {
  const total = totalmem();
  const host: MemoryRoom = { limitBytes: total, usedBytes: total - freemem(), source: 'host' };
  const groups = controlGroups(root).filter(({ limitBytes }) => limitBytes < total);
  // Of several limits the one that will be met first.
  return [host, ...groups].reduce((a, b) => (free(b) < free(a) ? b : a));
}

function free({ limitBytes, usedBytes }: MemoryRoom): number {
  return limitBytes - usedBytes;
}

/** The group of this process and those around it; a limit anywhere above holds too. */
function controlGroups(root: string): MemoryRoom[] {
  const lines = (read(join(root, 'proc/self/cgroup')) ?? '').split('\n').map((line) => line.split(':'));
  return lines.flatMap(([, controllers = '', path = '/']) => {
    if (controllers === '') return upwards(join(root, 'sys/fs/cgroup'), path, V2);
    return controllers.split(',').includes('memory') ? upwards(join(root, 'sys/fs/cgroup/memory'), path, V1) : [];
  });
}

/** In a container the path may be the one on the host, which is not to be seen here: then only the mount's own root is. */
function upwards(mount: string, path: string, dialect: Dialect): MemoryRoom[] {
  const rooms: MemoryRoom[] = [];
  for (let at = path; ; at = dirname(at)) {
    const room = groupAt(join(mount, at), dialect);
    if (room !== null) rooms.push(room);
    if (at === '/' || at === '.') return rooms;
  }
}

function groupAt(dir: string, { limit, used, droppable }: Dialect): MemoryRoom | null {
  const limitBytes = number(read(join(dir, limit)));
  const usedBytes = number(read(join(dir, used)));
  if (limitBytes === null || usedBytes === null) return null;
  const stat = read(join(dir, 'memory.stat')) ?? '';
  const cache = number(new RegExp(`^${droppable} (\\d+)$`, 'm').exec(stat)?.[1] ?? null) ?? 0;
  return { limitBytes, usedBytes: Math.max(0, usedBytes - cache), source: 'cgroup' };
}

/** `max` stands for no limit. */
function number(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text.trim()) ? Number(text) : null;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // another version, or no control groups at all
  }
}
