import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endGuard } from '../../../src/data/embedded/guard';
import type { ProcessIdentity } from '../../../src/data/embedded/process-identity';
import { isRunning, sendSignal } from '../../../src/data/embedded/process-identity';
import { ServerFolder } from '../../../src/data/embedded/server-folder';
import { until } from '../../support/until';

const ROOT = join(__dirname, '..', '..', '..');

/** What another supervisor says about its start. */
export interface Said {
  url?: string;
  code?: string;
  message?: string;
}

/** A folder for one test and every process that was started on it; all gone at the end, whatever the test did. */
export class Scene {
  readonly base = mkdtempSync(join(tmpdir(), 'botctl-embedded-'));
  readonly dir = join(this.base, 'state');
  readonly folder = new ServerFolder(this.dir);
  readonly lines: string[] = [];
  readonly signal = new AbortController().signal;
  readonly #children: ChildProcess[] = [];
  readonly #systemDir = process.env['BOTCTL_SYSTEM_DIR'];

  constructor() {
    chmodSync(this.base, 0o755);
    process.env['BOTCTL_SYSTEM_DIR'] = join(this.base, 'system');
  }

  readonly log = (level: string, message: string): void => {
    this.lines.push(`${level} ${message}`);
  };

  /** The server as noted in the folder. */
  get server(): ProcessIdentity {
    const { server } = this.folder;
    if (server === null) throw new Error('no server is noted');
    return server;
  }

  /** Where the data lies: elsewhere for root. */
  get data(): string {
    return join(this.folder.read('location') ?? this.dir, 'data');
  }

  commandLine(): string {
    return readFileSync(`/proc/${this.server.pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  }

  /** Starts a server from a process of its own, as another supervisor would, and waits for what it says. */
  async otherSupervisor(
    kind: 'postgres' | 'redis',
    { orphanMs, uid, dir = this.dir }: { orphanMs?: number; uid?: number; dir?: string } = {},
  ): Promise<{ child: ChildProcess; said: Said }> {
    const settings = JSON.stringify({ kind, dir, orphanMs });
    const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'other-supervisor.ts'), settings], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#children.push(child);
    for await (const line of createInterface({ input: child.stdout })) return { child, said: JSON.parse(line) as Said };
    throw new Error('the other supervisor ended without a word');
  }

  async end(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    endGuard(this.folder);
    const { server } = this.folder;
    if (server !== null) {
      sendSignal(server, 'SIGQUIT');
      await until(() => !isRunning(server), { timeoutMs: 5_000 }).catch(() => sendSignal(server, 'SIGKILL'));
    }
    if (this.#systemDir === undefined) delete process.env['BOTCTL_SYSTEM_DIR'];
    else process.env['BOTCTL_SYSTEM_DIR'] = this.#systemDir;
    rmSync(this.base, { recursive: true, force: true, maxRetries: 5 });
  }
}
