import { setTimeout as delay } from 'node:timers/promises';
import { ControlClient, ControlUnreachable } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { locateState } from '../../config/locate';
import { isRunning, readSupervisorRecord } from '../../supervisor/supervisor-lock';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderProgress } from '../render/progress';

interface StopOptions extends CommonOptions {
  /** Seconds. */
  timeout?: number;
}

const POLL_MS = 50;
/** After its last word the process has this long to end, ms. */
const EXIT_WAIT_MS = 15_000;

export async function stop(options: StopOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const record = readSupervisorRecord(stateDir);
  const client = new ControlClient(controlSocketPath(stateDir));
  const { signal, cancel } = deadline(options.timeout);
  try {
    await Promise.race([client.stop((line) => context.stdout.write(renderProgress(line, context.style))), signal]);
  } catch (error) {
    const gone = record === null || !isRunning(record);
    if (!(error instanceof ControlUnreachable)) throw error;
    if (error.failure === 'deaf') {
      const pid = record?.pid ?? 0;
      throw new CliError(
        `The supervisor (process ${pid}) does not answer.`,
        EXIT.failed,
        `End it with kill -9 ${pid}: its clusters serve on, and the next start takes them over.`,
      );
    }
    // It was gone before it could say its last line.
    if (error.failure !== 'broken' || !gone) throw error;
  } finally {
    cancel();
  }
  if (record !== null) await untilGone(record);
  return EXIT.ok;
}

/** So that a script may start the next one right away. */
async function untilGone(record: { pid: number; startTime: string }): Promise<void> {
  const end = Date.now() + EXIT_WAIT_MS;
  while (isRunning(record) && Date.now() < end) await delay(POLL_MS);
}

function deadline(seconds: number | undefined): { signal: Promise<never>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const signal = new Promise<never>((_resolve, reject) => {
    if (seconds === undefined) return;
    timer = setTimeout(() => {
      const hint = 'The stop goes on; see: botctl status';
      reject(new CliError(`Not stopped within ${seconds} s.`, EXIT.failed, hint));
    }, seconds * 1_000);
  });
  return { signal, cancel: () => clearTimeout(timer) };
}
