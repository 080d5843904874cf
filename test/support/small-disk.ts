import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** Makes the folder a small disk of its own. @param size as in `20m` @returns false: it takes root */
export function mountDisk(dir: string, size: string): boolean {
  try {
    mkdirSync(dir, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Also while somebody still has a file open on it. */
export function unmount(dir: string): void {
  try {
    execFileSync('umount', ['-l', dir], { stdio: 'ignore' });
  } catch {
    // it never was one
  }
}
