import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskCheck } from '../../../src/health/checks/disk';
import { Watch } from '../support/watch';

const MB = 1024 * 1024;

let dir: string;
let mounted: boolean;
let watch: Watch;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-disk-'));
  mounted = mount('size=8m');
});
afterEach(() => {
  watch.stop();
  if (mounted) execFileSync('umount', ['-l', dir]);
  rmSync(dir, { recursive: true, force: true });
});

/** A disk of the test's own, where that is allowed (as root). */
function mount(options: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it('a full disk is unhealthy, and recovers when there is room again', async () => {
  watch = new Watch([new DiskCheck({ dir, minFreeBytes: MB })]);
  await watch.until('healthy');
  if (!mounted) return; // only root can have a disk of its own to fill
  writeFileSync(join(dir, 'ballast'), Buffer.alloc(7.9 * MB));
  expect((await watch.until('unhealthy')).message).toMatch(/^\d.* of 8 MB free, 819\.2 KB are needed$/);
  rmSync(join(dir, 'ballast'));
  expect((await watch.until('healthy')).message).toMatch(/^8 MB of 8 MB free$/);
  watch.stop();
  expect(readdirSync(dir)).toEqual([]);
});

it('a disk that went read-only is unhealthy although it has room, and recovers', async () => {
  watch = new Watch([new DiskCheck({ dir, minFreeBytes: MB })]);
  await watch.until('healthy');
  if (!mounted) return;
  execFileSync('mount', ['-o', 'remount,ro', dir]);
  expect((await watch.until('unhealthy')).message).toMatch(/^EROFS/);
  execFileSync('mount', ['-o', 'remount,rw', dir]);
  await watch.until('healthy');
});

it('a disk without inodes is unhealthy', async () => {
  if (mounted) execFileSync('mount', ['-o', 'remount,nr_inodes=300', dir]);
  watch = new Watch([new DiskCheck({ dir, minFreeBytes: MB })]);
  await watch.until('healthy');
  if (!mounted) return;
  for (let i = 0; i < 297; i++) writeFileSync(join(dir, `file-${i}`), '');
  expect((await watch.until('unhealthy')).message).toMatch(/^\d+ more files? can be made \(inodes\)$/);
});

it('a folder that is gone is unhealthy', async () => {
  watch = new Watch([new DiskCheck({ dir: join(dir, 'nowhere'), minFreeBytes: 1 })]);
  expect((await watch.until('unhealthy')).message).toMatch(/^ENOENT/);
});
