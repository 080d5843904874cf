import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Longest socket path, bytes: the kernel takes 107 (Linux) or 103 (macOS), and a few are left for siblings' names. */
export const MAX_SOCKET_PATH_BYTES = 100;

const CONTROL_SOCKET = 'control.sock';

/**
 * Where sockets go whose state folder is too deep. Deliberately not taken from XDG_RUNTIME_DIR or TMPDIR: a supervisor
 * under systemd and a command in a shell see different values, and would look for each other in different places.
 */
const SHORT_BASE = '/tmp';

/**
 * The folder of the sockets that belong to a state folder: `<stateDir>/run`, or, when that is too deep for a socket, a
 * folder of this user under /tmp, named by a hash of the real path. The same answer for server and client; creates
 * nothing.
 */
export function socketDir(stateDir: string): string {
  const inside = join(resolve(stateDir), 'run');
  if (Buffer.byteLength(join(inside, CONTROL_SOCKET)) <= MAX_SOCKET_PATH_BYTES) return inside;
  const hash = createHash('sha256').update(realPath(stateDir)).digest('hex').slice(0, 16);
  return join(SHORT_BASE, `botctl-${userId()}-${hash}`);
}

export function controlSocketPath(stateDir: string): string {
  return join(socketDir(stateDir), CONTROL_SOCKET);
}

/**
 * Creates the folder with mode 0700. Throws when it is a link, belongs to somebody else, or others may enter it: in a
 * shared temporary folder anyone could have put it there to listen in.
 */
export function ensurePrivateDir(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  assertPrivateDir(dir);
}

/** See `ensurePrivateDir`; throws ENOENT when there is none. */
export function assertPrivateDir(dir: string): void {
  const stat = lstatSync(dir);
  if (!stat.isDirectory()) throw new Error(`${dir} is not a folder (a link or a file): remove it and try again`);
  if (stat.uid !== userId()) throw new Error(`${dir} belongs to another user (uid ${stat.uid}): it cannot be trusted`);
  const mode = stat.mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new Error(`${dir} is open to other users (mode ${mode.toString(8)}): chmod 700 ${dir}`);
  }
}

/** Of the part of the path that exists: a link in it must not give two supervisors two sockets. */
function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = resolve(absolute, '..');
    return parent === absolute ? absolute : join(realPath(parent), absolute.slice(parent.length));
  }
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
