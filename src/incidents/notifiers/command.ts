import { spawn } from 'node:child_process';
import type { Notice } from './notice';
import { SendError, type Notifier } from './notifier';
import { payloadOf } from './webhook';

export interface CommandNotifierOptions {
  name: string;
  /** Program and arguments. */
  argv: readonly [string, ...string[]];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** A program of the operator's: one notice as JSON on its standard input, the main facts in its environment. */
export function commandNotifier(options: CommandNotifierOptions): Notifier {
  return {
    name: options.name,
    most: 1,
    send: async (notices, signal) => {
      for (const notice of notices) await run(options, notice, signal);
    },
  };
}

function run({ argv, cwd, env }: CommandNotifierOptions, notice: Notice, signal: AbortSignal): Promise<void> {
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new SendError('no time left'));
    const child = spawn(program, args, {
      cwd,
      env: { ...env, ...factsOf(notice) },
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // a group of its own, so that what it starts ends with it
    });
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // ended meanwhile
      }
    };
    signal.addEventListener('abort', kill, { once: true });
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new SendError(`the command cannot be run (${error.code ?? error.message})`, { retry: false, cause: error }),
      );
    });
    child.once('exit', (code, ended) => {
      signal.removeEventListener('abort', kill);
      if (code === 0) resolve();
      else if (signal.aborted) reject(new SendError('the command did not end in time'));
      else reject(new SendError(code === null ? `the command was ended by ${ended ?? '?'}` : `exit code ${code}`));
    });
    child.stdin.on('error', () => undefined); // it need not read
    child.stdin.end(`${JSON.stringify(payloadOf(notice))}\n`);
  });
}

function factsOf({ kind, severity, title, text, incident }: Notice): Record<string, string> {
  return {
    BOTCTL_EVENT: kind,
    BOTCTL_SEVERITY: severity,
    BOTCTL_TITLE: title.replaceAll('\0', ''),
    BOTCTL_TEXT: text.replaceAll('\0', ''),
    ...(incident !== null && {
      BOTCTL_INCIDENT: incident.id,
      BOTCTL_TYPE: incident.type,
      BOTCTL_SCOPE: incident.scope,
      BOTCTL_STATE: incident.state,
    }),
  };
}
