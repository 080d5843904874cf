import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertPrivateDir, controlSocketPath, ensurePrivateDir, socketDir } from '../../src/control/socket-path';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'botctl-sock-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('sockets live in the state folder when its path is short enough', () => {
  expect(socketDir('/srv/bot/.botctl')).toBe('/srv/bot/.botctl/run');
  expect(controlSocketPath('/srv/bot/.botctl')).toBe('/srv/bot/.botctl/run/control.sock');
  const longest = `/${'x'.repeat(100 - '//run/control.sock'.length)}`;
  expect(controlSocketPath(longest)).toHaveLength(100);
  expect(controlSocketPath(longest).startsWith(longest)).toBe(true);
});

test('a deep state folder gets a short place of its own, the same through a link and whatever the environment says', () => {
  const deep = join(root, 'd'.repeat(90));
  mkdirSync(deep);
  symlinkSync(root, join(root, 'link'));
  const before = socketDir(deep);
  process.env['XDG_RUNTIME_DIR'] = '/run/elsewhere';
  try {
    expect(socketDir(deep)).toBe(before);
  } finally {
    delete process.env['XDG_RUNTIME_DIR'];
  }
  expect(before).toMatch(new RegExp(`^/tmp/botctl-${process.getuid!()}-[0-9a-f]{16}$`));
  expect(socketDir(join(root, 'link', 'd'.repeat(90)))).toBe(before);
  expect(socketDir(join(deep, 'not', 'yet', 'there'))).toBe(
    socketDir(join(root, 'link', 'd'.repeat(90), 'not', 'yet', 'there')),
  );
  expect(socketDir(join(root, 'e'.repeat(90)))).not.toBe(before);
});

describe('ensurePrivateDir', () => {
  test('makes a folder for the owner only', () => {
    ensurePrivateDir(join(root, 'a', 'run'));
    expect(statSync(join(root, 'a', 'run')).mode & 0o777).toBe(0o700);
    ensurePrivateDir(join(root, 'a', 'run'));
  });

  test('refuses a folder that others may enter, a link, a file, and a stranger', () => {
    const open = join(root, 'open');
    mkdirSync(open);
    chmodSync(open, 0o755);
    expect(() => ensurePrivateDir(open)).toThrow(`${open} is open to other users (mode 755): chmod 700 ${open}`);
    chmodSync(open, 0o700);
    symlinkSync(open, join(root, 'link'));
    expect(() => ensurePrivateDir(join(root, 'link'))).toThrow('is not a folder (a link or a file)');
    expect(() => assertPrivateDir(join(root, 'none'))).toThrow('ENOENT');
    if (process.getuid!() === 0) {
      chownSync(open, 12345, 0);
      expect(() => ensurePrivateDir(open)).toThrow('belongs to another user (uid 12345)');
    }
  });
});
