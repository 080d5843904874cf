import { spawnSync } from 'node:child_process';

/** Is a program of Prometheus's package here? Setup installs it where it can. */
export function has(program: 'promtool' | 'prometheus'): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}
