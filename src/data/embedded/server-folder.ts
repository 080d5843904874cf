import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { EmbeddedServerError } from './embedded-server-error';
import type { ProcessIdentity } from './process-identity';
import { identify } from './process-identity';
import { ServerLog } from './server-log';

/** What is kept about a server from run to run: password, port, its process and who owns it. Ours alone (0700). */
export class ServerFolder {
  readonly log: ServerLog;
  readonly ownerFile: string;

  constructor(readonly dir: string) {
    this.log = new ServerLog(join(dir, 'server.log'));
    this.ownerFile = join(dir, 'owner');
  }

  /** @throws EmbeddedServerError EMBEDDED_DENIED */
  prepare(): void {
    try {
      mkdirSync(this.dir, { recursive: true, mode: 0o700 });
      chmodSync(this.dir, 0o700);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
      const message = `The folder ${this.dir} cannot be used (${code}).`;
      throw new EmbeddedServerError(
        'EMBEDDED_DENIED',
        message,
        'Set stateDir to a folder that this user can write to.',
        {
          cause,
        },
      );
    }
  }

  /** The password of earlier runs, or a new one (32 random bytes) that is on disk before it is used. */
  password(): string {
    const kept = this.read('password');
    if (kept !== null && kept !== '') return kept;
    const password = randomBytes(32).toString('base64url');
    this.write('password', password);
    return password;
  }

  get hasPassword(): boolean {
    return (this.read('password') ?? '') !== '';
  }

  get port(): number | null {
    const port = Number(this.read('port') ?? NaN);
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null;
  }

  set port(port: number | null) {
    this.write('port', String(port ?? ''));
  }

  /** The server's process, as last noted. */
  get server(): ProcessIdentity | null {
    return this.#identity('server');
  }

  set server(identity: ProcessIdentity | null) {
    this.#note('server', identity);
  }

  get guard(): ProcessIdentity | null {
    return this.#identity('guard');
  }

  set guard(identity: ProcessIdentity | null) {
    this.#note('guard', identity);
  }

  /** The supervisor that last claimed the server. */
  get owner(): ProcessIdentity | null {
    return this.#identity('owner');
  }

  /** Makes this process the owner: the guard lets the server live while its owner does. */
  claim(): void {
    this.#note('owner', identify(process.pid));
  }

  release(): void {
    for (const name of ['server', 'guard', 'owner']) rmSync(join(this.dir, name), { force: true });
  }

  read(name: string): string | null {
    try {
      return readFileSync(join(this.dir, name), 'utf8').trim();
    } catch {
      return null;
    }
  }

  /** Written aside, flushed, renamed: a crash leaves the old text or the new one. Mode 0600. */
  write(name: string, text: string): void {
    const file = join(this.dir, name);
    const temp = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
    try {
      const fd = openSync(temp, 'wx', 0o600);
      try {
        writeSync(fd, `${text}\n`);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temp, file);
    } catch (cause) {
      rmSync(temp, { force: true });
      const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
      const message = `The file ${file} cannot be written (${code}).`;
      throw new EmbeddedServerError('EMBEDDED_DENIED', message, 'Look for free space and permissions of the folder.', {
        cause,
      });
    }
  }

  /** Two lines, pid and start time: the guard reads them with a shell. */
  #identity(name: string): ProcessIdentity | null {
    const [pid, startTime] = (this.read(name) ?? '').split('\n');
    return startTime !== undefined && Number(pid) > 0 ? { pid: Number(pid), startTime } : null;
  }

  #note(name: string, identity: ProcessIdentity | null): void {
    if (identity === null) rmSync(join(this.dir, name), { force: true });
    else this.write(name, `${identity.pid}\n${identity.startTime}`);
  }
}
