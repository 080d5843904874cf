import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnv } from './account';
import type { PostgresBinaries } from './binaries';
import type { DataPlace } from './data-place';
import { EmbeddedServerError, throwIfAborted } from './embedded-server-error';

/** Superuser and owner of the databases. */
export const ROLE = 'botctl';
const PREFIX = 'data.init-';
/** Output of initdb that is kept for the error, characters. */
const MAX_OUTPUT = 16_384;

/**
 * Makes the cluster when there is none. It is made aside and renamed when whole, so a crash leaves no half of one.
 * Callers hold the start lock.
 *
 * @throws EmbeddedServerError EMBEDDED_START_FAILED with initdb's last lines, EMBEDDED_ABORTED
 */
export async function initCluster(
  place: DataPlace,
  binaries: PostgresBinaries,
  password: string,
  signal: AbortSignal,
): Promise<void> {
  const { root, data, account } = place;
  if (existsSync(join(data, 'PG_VERSION'))) return;
  for (const name of readdirSync(root)) {
    if (name.startsWith(PREFIX)) rmSync(join(root, name), { recursive: true, force: true });
  }
  const temp = join(root, `${PREFIX}${randomBytes(4).toString('hex')}`);
  const passwordFile = `${temp}.pw`;
  try {
    mkdirSync(temp, { mode: 0o700 });
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (account !== null) for (const file of [temp, passwordFile]) chownSync(file, account.uid, account.gid);
    await runInitdb(place, binaries, temp, passwordFile, signal);
    renameSync(temp, data);
  } catch (cause) {
    if (cause instanceof EmbeddedServerError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The data folder ${data} cannot be made: ${reason}`;
    throw new EmbeddedServerError('EMBEDDED_START_FAILED', message, 'Look for free space and permissions there.', {
      cause,
    });
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(temp, { recursive: true, force: true });
  }
}

async function runInitdb(
  { root, account }: DataPlace,
  { bin }: PostgresBinaries,
  data: string,
  passwordFile: string,
  signal: AbortSignal,
): Promise<void> {
  const args = ['-D', data, '-U', ROLE, '--pwfile', passwordFile, '--auth=scram-sha-256', '--locale=C', '-E', 'UTF8'];
  // Its own group, so that the servers it runs meanwhile end with it.
  const child = spawn(join(bin, 'initdb'), args, {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: cleanEnv(),
    ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-MAX_OUTPUT);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const abort = (): void => {
    if (child.pid !== undefined) endGroup(child.pid);
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    throwIfAborted(signal);
    if (code !== 0) throw new Error(lastLines(output));
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ended by itself
  }
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-5).join(' | ');
}
