import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadedConfig } from '../../config';
import { EXIT } from '../../control/contract';
import { CliError } from '../cli-error';
import { commandLine, type CliContext, type CommonOptions } from '../context';
import { Style } from '../render/style';
import { observe } from '../supervisor-view';

/** Marks a supervisor in the background: it writes its log to files only. */
export const DETACHED = 'BOTCTL_DETACHED';

/** A supervisor that is not running after this time, ms, is reported; it goes on trying. */
const UP_TIMEOUT_MS = 120_000;
const POLL_MS = 100;

/** Starts the same command line again without `--detach`, in a session of its own, and waits until it runs. */
export async function startDetached(
  { file, dir, stateDir, config }: LoadedConfig,
  options: CommonOptions,
  { env, stdout, style: can }: CliContext,
): Promise<number> {
  const args = process.argv.slice(1).filter((arg) => arg !== '--detach' && arg !== '-d');
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...env, [DETACHED]: '1' },
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  const ended = once(child, 'close').then(([code]) => (typeof code === 'number' ? code : EXIT.failed));
  const located = { file, dir, stateDir, readName: () => Promise.resolve(config.bot.name) };
  const outcome = await Promise.race([ended, untilRunning(located, child.pid ?? 0)]);
  if (typeof outcome === 'number') {
    process.stderr.write(errors);
    return outcome;
  }
  child.stderr.destroy();
  child.unref();
  const style = new Style(can);
  stdout.write(`${style.sign('good')} botctl runs as process ${child.pid ?? 0}\n`);
  if (outcome.http !== null) stdout.write(`  status page   ${outcome.http}\n`);
  stdout.write(
    `  next          ${['status --watch', 'logs -f', 'stop'].map((next) => commandLine(next, options, env)).join('\n                ')}\n`,
  );
  return EXIT.ok;
}

async function untilRunning(located: Parameters<typeof observe>[0], pid: number): Promise<{ http: string | null }> {
  const end = Date.now() + UP_TIMEOUT_MS;
  while (Date.now() < end) {
    const { supervisor } = await observe(located);
    if (supervisor.pid === pid && supervisor.state === 'running') return { http: supervisor.http };
    await delay(POLL_MS);
  }
  throw new CliError(
    `botctl (process ${pid}) is still starting after ${UP_TIMEOUT_MS / 1_000} s.`,
    EXIT.failed,
    'It goes on in the background; see: botctl status, botctl logs',
  );
}
