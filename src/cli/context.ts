import { styleFor, type StyleOptions } from './render/style';

/** What a command may use of its process. */
export interface CliContext {
  cwd: string;
  env: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** What stdout can show. */
  style: StyleOptions;
}

/** Options that every command has. */
export interface CommonOptions {
  config?: string;
}

export function processContext(): CliContext {
  const { env, stdout, stderr } = process;
  return {
    cwd: process.cwd(),
    env,
    // Opened only by who reads it.
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr,
    style: styleFor(stdout, env),
  };
}

/** `--config FILE`, else BOTCTL_CONFIG, else what is found from the current folder upwards. */
export function configFile(options: CommonOptions, { env }: CliContext): string | undefined {
  const named = options.config ?? env['BOTCTL_CONFIG'];
  return named === '' ? undefined : named;
}

/** How the operator would call a further command on the same config; under npm, botctl need not be on PATH. */
export function commandLine(command: string, options: CommonOptions, env: NodeJS.ProcessEnv): string {
  const botctl = env['npm_command'] === undefined ? 'botctl' : 'npx botctl';
  return options.config === undefined ? `${botctl} ${command}` : `${botctl} ${command} --config ${options.config}`;
}
