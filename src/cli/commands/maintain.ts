import { locateState } from '../../config/locate';
import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../follow';
import { renderMaintenance, renderReport } from '../render/maintenance';

interface MaintainOptions extends CommonOptions {
  now?: true;
  task?: string[];
  dryRun?: true;
  force?: true;
  json?: true;
}

const DEFAULT_WIDTH = 100;

export async function maintain(options: MaintainOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const client = new ControlClient(controlSocketPath(stateDir));
  return options.now === true ? runNow(client, options, context) : show(client, options, context);
}

async function show(client: ControlClient, options: MaintainOptions, context: CliContext): Promise<number> {
  if (options.dryRun === true || (options.task ?? []).length > 0) {
    throw new CliError('--task and --dry-run are for --now.', EXIT.usage, 'Add --now.');
  }
  const overview = await client.maintenance();
  const { stdout, style } = context;
  if (options.json === true) stdout.write(`${JSON.stringify(overview, null, 2)}\n`);
  else {
    const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
    stdout.write(renderMaintenance(overview, { ...style, width, now: Date.now() }));
  }
  return overview.status.failing.length === 0 ? EXIT.ok : EXIT.failed;
}

async function runNow(client: ControlClient, options: MaintainOptions, context: CliContext): Promise<number> {
  const { stdout, style } = context;
  const tasks = options.task ?? [];
  const request = {
    ...(tasks.length > 0 && { tasks }),
    dryRun: options.dryRun === true,
    force: options.force === true,
  };
  const last = await follow(options.json === true ? null : context, (tell) => client.maintain(request, tell));
  if (last.report !== undefined) {
    if (options.json === true) stdout.write(`${JSON.stringify(last.report, null, 2)}\n`);
    else {
      const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
      stdout.write(renderReport(last.report, { ...style, width }));
    }
  } else if (options.json === true) stdout.write(`${JSON.stringify({ error: last.text }, null, 2)}\n`);
  return last.ok === false ? EXIT.failed : EXIT.ok;
}
