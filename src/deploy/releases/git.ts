import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { DeployError } from '../deploy-error';

const run = promisify(execFile);
const MAX_OUTPUT = 16 * 1024 * 1024;

export interface Commit {
  hash: string;
  /** First line of its message. */
  subject: string;
}

/** The commit that a name stands for, in the repository around `folder`. @throws DeployError */
export async function resolveCommit(folder: string, ref: string): Promise<Commit> {
  const prefix = await git(folder, ['rev-parse', '--is-inside-work-tree']).catch((error: unknown) => error as Error);
  if (prefix instanceof Error) {
    const missing = (prefix.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
    if (missing) throw new DeployError('git is not installed', 'Install it, or deploy a folder: botctl deploy PATH');
    throw new DeployError(`${folder} is not in a git repository`, 'Deploy a folder instead: botctl deploy PATH');
  }
  try {
    const hash = (
      await git(folder, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`])
    ).trim();
    const subject = (await git(folder, ['log', '-1', '--format=%s', hash])).trim();
    return { hash, subject };
  } catch (error) {
    throw new DeployError(`git knows no commit ${ref} here`, 'git fetch it first, or see: git log', { cause: error });
  }
}

/** Writes the files of a commit below `folder` of its repository to `to`, without touching index or working tree. */
export async function checkOut(folder: string, commit: string, to: string): Promise<void> {
  const prefix = (await git(folder, ['rev-parse', '--show-prefix'])).trim();
  const index = `${to}.index`;
  const env = { GIT_INDEX_FILE: index };
  mkdirSync(to, { recursive: true });
  try {
    await git(folder, ['read-tree', prefix === '' ? commit : `${commit}:${prefix.replace(/\/$/, '')}`], env);
    const top = (await git(folder, ['rev-parse', '--show-toplevel'])).trim();
    await git(top, ['checkout-index', '--all', '--force', `--prefix=${to}/`], env);
  } catch (error) {
    throw new DeployError(`the files of ${commit.slice(0, 12)} cannot be had: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  } finally {
    rmSync(index, { force: true });
  }
}

async function git(cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  try {
    const { stdout } = await run('git', args, { cwd, maxBuffer: MAX_OUTPUT, env: { ...process.env, ...env } });
    return stdout;
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const line = stderr?.trim().split('\n').at(-1);
    throw new Error(line === undefined || line === '' ? (error as Error).message : line, { cause: error });
  }
}
