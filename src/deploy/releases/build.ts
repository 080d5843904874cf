import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DeployError } from '../deploy-error';

export interface BuildOptions {
  command: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Where the output of the command goes. */
  output: { stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream };
  signal: AbortSignal;
}

const KILL_AFTER_MS = 5_000;

/** Runs the build command in a shell and shows what it prints. Ends it, and what it started, when aborted. @throws DeployError */
export async function runBuild({ command, cwd, env, output, signal }: BuildOptions): Promise<void> {
  signal.throwIfAborted();
  // A group of its own, so that all of it can be ended.
  const child = spawn(command, { cwd, env, shell: true, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk: Buffer) => output.stdout.write(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.stderr.write(chunk));
  const end = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // has ended
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const abort = (): void => {
    end('SIGTERM');
    timer = setTimeout(() => end('SIGKILL'), KILL_AFTER_MS);
  };
  signal.addEventListener('abort', abort);
  try {
    const [code, killed] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    signal.throwIfAborted();
    if (code === 0) return;
    const how = killed === null ? `exit code ${String(code)}` : killed;
    throw new DeployError(`the build failed (${how}): ${command}`, 'Its output is above; nothing was deployed');
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
