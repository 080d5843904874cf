import { spawn } from 'node:child_process';
import type { HealthCheck, Reading } from '../check';

export interface CommandCheckOptions {
  name: string;
  /** The program and its arguments. */
  argv: readonly [string, ...string[]];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** Output that is kept to quote from, characters. */
const MAX_OUTPUT = 2_000;
/** Time for output after the exit, ms. */
const LAST_WORDS_MS = 200;

/** A program of the operator's: exit code 0 is well; its last line says more. */
export class CommandCheck implements HealthCheck {
  readonly scope = { kind: 'bot' } as const;

  constructor(private readonly options: CommandCheckOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** Resolves when the program has ended; with `signal` it is killed, and everything that it started. */
  async look(signal: AbortSignal): Promise<Reading[]> {
    const { argv, cwd, env } = this.options;
    const [program, ...args] = argv;
    // A group of its own: a shell's children outlive the shell.
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // they have ended
      }
      // What left the group may hold the pipes open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    signal.addEventListener('abort', kill, { once: true });
    let output = '';
    const collect = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-MAX_OUTPUT));
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    try {
      const how = await new Promise<string | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code, by) => {
          const ended = code === 0 ? null : by === null ? `exit code ${code ?? '?'}` : `ended by ${by}`;
          // Its last words may still be on their way; what it left running in the background does not keep us.
          child.once('close', () => resolve(ended));
          setTimeout(() => resolve(ended), LAST_WORDS_MS).unref();
        });
      });
      const said = output.trim().split('\n').at(-1)?.trim() ?? '';
      return [
        { scope: this.scope, ok: how === null, message: [how, said].filter(Boolean).join(': ') || 'exit code 0' },
      ];
    } finally {
      signal.removeEventListener('abort', kill);
      kill();
    }
  }
}
