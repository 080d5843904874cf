import { resolve } from 'node:path';
import { loadConfig, type LoadedConfig } from '../../config';
import { ControlClient, ControlUnreachable } from '../../control/client';
import { EXIT } from '../../control/contract';
import type { RolloutOrder } from '../../control/deploy-contract';
import { controlSocketPath } from '../../control/socket-path';
import { locateState } from '../../config/locate';
import { DeployError } from '../../deploy';
import { makeRelease, type Made } from '../../deploy/releases/make';
import { ReleaseStore } from '../../deploy/releases/store';
import { visibleEnv } from '../../supervisor/bot-spec';
import { prepareStateDir } from '../../supervisor/state-dir';
import { isRunning, readSupervisorRecord } from '../../supervisor/supervisor-lock';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../render/follow';
import { Style } from '../render/style';

interface DeployOptions extends CommonOptions {
  /** Folder of the new code. */
  argument?: string;
  rolling?: true;
  allAtOnce?: true;
  git?: string;
  /** false: --no-build. */
  build?: string | boolean;
  prepare?: true;
  force?: true;
  pause?: true;
  resume?: true;
  abort?: true;
  follow?: true;
}

export async function deploy(options: DeployOptions, context: CliContext): Promise<number> {
  const order = orderOf(options);
  if (order !== null) return giveOrder(order, options, context);
  if (options.git !== undefined && options.argument !== undefined) {
    throw new CliError('Name a folder or --git, not both.', EXIT.usage, 'See: botctl deploy --help');
  }
  const loaded = await load(options, context);
  prepareStateDir(loaded.stateDir);
  const { release, isNew } = await make(loaded, options, context);
  if (!isNew) say(context, `release ${release.id} has the same code: nothing had to be copied`);
  const record = readSupervisorRecord(loaded.stateDir);
  if (record === null || !isRunning(record)) return deployWithout(loaded, release.id, options, context);
  const client = new ControlClient(controlSocketPath(loaded.stateDir));
  const request = {
    release: release.id,
    force: options.force === true,
    checkOnly: options.prepare === true,
    allAtOnce: options.allAtOnce === true,
  };
  return followed(() => follow(context, (onProgress) => client.deploy(request, onProgress)));
}

/** A connection that breaks off does not end the rollout. */
export async function followed(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ControlUnreachable) || error.failure === 'not-running') throw error;
    const hint = 'A rollout goes on with the next start of the supervisor; then: botctl deploy --follow';
    throw new CliError(`${capital(error.message)}.`, EXIT.failed, hint, { cause: error });
  }
}

function orderOf(options: DeployOptions): RolloutOrder | 'follow' | null {
  const given = (['pause', 'resume', 'abort', 'follow'] as const).filter((order) => options[order] === true);
  const [order = null, second] = given;
  if (second !== undefined) throw new CliError(`Give --${String(order)} or --${second}, not both.`, EXIT.usage);
  return order;
}

async function giveOrder(order: RolloutOrder | 'follow', options: CommonOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const client = new ControlClient(controlSocketPath(stateDir));
  return followed(() =>
    follow(context, (onProgress) =>
      order === 'follow' ? client.followRollout(onProgress) : client.orderRollout(order, onProgress),
    ),
  );
}

/** Against the sandbox there is no token, and the supervisor knows that it runs against it. */
async function load(options: CommonOptions, context: CliContext): Promise<LoadedConfig> {
  const { cwd, env } = context;
  const file = configFile(options, context);
  const { stateDir } = await locateState({ cwd, file, env });
  const sandbox = readSupervisorRecord(stateDir)?.sandbox === true;
  return loadConfig({ cwd, env, file, sandbox });
}

async function make(loaded: LoadedConfig, options: DeployOptions, context: CliContext): Promise<Made> {
  const { config, secrets, stateDir } = loaded;
  const { root, build, shared } = config.deploy;
  const command = options.build === false ? null : typeof options.build === 'string' ? options.build : (build ?? null);
  const stop = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (): void => stop.abort();
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await makeRelease({
      store: new ReleaseStore(stateDir),
      project: { root, entry: config.bot.entry, cwd: config.bot.cwd },
      source:
        options.git !== undefined
          ? { kind: 'git', ref: options.git }
          : { kind: 'folder', path: options.argument === undefined ? root : resolve(context.cwd, options.argument) },
      build: command,
      // A build needs no token, and what it runs is not all ours.
      buildEnv: visibleEnv(context.env, secrets),
      output: { stdout: context.stdout, stderr: context.stderr },
      shared,
      without: [stateDir],
      now: Date.now,
      signal: stop.signal,
      say: (text, warning = false) => say(context, text, warning),
    });
  } catch (error) {
    if (stop.signal.aborted) throw new CliError('Given up; nothing was deployed.', EXIT.failed);
    if (!(error instanceof DeployError)) throw error;
    throw new CliError(`${capital(error.message)}.`, EXIT.failed, error.hint, { cause: error });
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** No supervisor runs: the next start takes the release. */
function deployWithout(loaded: LoadedConfig, id: string, options: DeployOptions, context: CliContext): number {
  if (options.prepare === true) {
    say(context, `release ${id} is there; it was not checked, since botctl does not run`, true);
    return EXIT.ok;
  }
  new ReleaseStore(loaded.stateDir).setCurrent(id, Date.now());
  say(context, `botctl does not run: its next start takes release ${id}`);
  return EXIT.ok;
}

function say({ stdout, style }: CliContext, text: string, warning = false): void {
  stdout.write(`${new Style(style).sign(warning ? 'bad' : 'quiet')} ${text}\n`);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
