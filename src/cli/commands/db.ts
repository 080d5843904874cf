import { ControlClient } from '../../control/client';
import { EXIT, type Progress } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { locateState } from '../../config/locate';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow as showProgress } from '../follow';
import { renderDb } from '../render/db';

interface StatusOptions extends CommonOptions {
  json?: true;
}

interface GuildOptions extends CommonOptions {
  /** The guild's id. */
  argument: string;
}

interface MoveOptions extends GuildOptions {
  to: number;
}

interface RebalanceOptions extends CommonOptions {
  drain?: number[];
  dryRun?: true;
}

const DEFAULT_WIDTH = 100;

export async function dbStatus(options: StatusOptions, context: CliContext): Promise<number> {
  const client = await connect(options, context);
  const { postgres, data } = await client.status();
  const up = data !== null && data.problem === null;
  const overview = up ? await client.dbOverview() : { moves: [], migrations: [] };
  if (options.json === true) {
    context.stdout.write(`${JSON.stringify({ postgres, data, ...overview }, null, 2)}\n`);
  } else {
    const width = context.stdout.isTTY ? context.stdout.columns : DEFAULT_WIDTH;
    context.stdout.write(renderDb({ postgres, data, ...overview }, { ...context.style, width }));
  }
  return up && postgres.state === 'up' ? EXIT.ok : EXIT.failed;
}

export async function migrate(options: CommonOptions, context: CliContext): Promise<number> {
  const client = await connect(options, context);
  return follow(context, (onProgress) => client.migrate(onProgress));
}

export async function moveGuild(
  { argument: guild, to, ...options }: MoveOptions,
  context: CliContext,
): Promise<number> {
  const client = await connect(options, context);
  return follow(context, (onProgress) => client.moveGuild({ guild, to }, onProgress));
}

export async function abortMove({ argument: guild, ...options }: GuildOptions, context: CliContext): Promise<number> {
  const client = await connect(options, context);
  return follow(context, (onProgress) => client.abortMove({ guild }, onProgress));
}

export async function rebalance(options: RebalanceOptions, context: CliContext): Promise<number> {
  const client = await connect(options, context);
  const request = { drain: options.drain ?? [], dryRun: options.dryRun === true };
  return follow(context, (onProgress) => client.rebalance(request, onProgress));
}

async function connect(options: CommonOptions, context: CliContext): Promise<ControlClient> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  return new ControlClient(controlSocketPath(stateDir));
}

async function follow(
  context: CliContext,
  run: (onProgress: (line: Progress) => void) => Promise<Progress>,
): Promise<number> {
  const last = await showProgress(context, run);
  return last.ok === false ? EXIT.failed : EXIT.ok;
}
