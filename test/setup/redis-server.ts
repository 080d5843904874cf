import { spawnSync } from 'node:child_process';

/** Name of the server that can be run here, or null. */
export function redisServer(): string | null {
  const names = ['redis-server', 'valkey-server'];
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0) ?? null;
}
