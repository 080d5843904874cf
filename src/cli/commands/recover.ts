import { locateState } from '../../config/locate';
import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderProgress } from '../render/progress';
import { renderRecovery } from '../render/recovery';

interface RecoverOptions extends CommonOptions {
  /** Incident type. */
  argument?: string;
  scope?: string;
  dryRun?: true;
  endOutage?: true;
  json?: true;
}

const DEFAULT_WIDTH = 100;

/** Without a type it shows what recovery would do, with one it does it. */
export async function recover(options: RecoverOptions, context: CliContext): Promise<number> {
  const { argument: type, scope, dryRun, endOutage, json } = options;
  const { stdout, style } = context;
  if (type === undefined && (scope !== undefined || dryRun === true)) {
    throw new CliError('--scope and --dry-run belong to an incident type.', EXIT.usage, 'See: botctl recover');
  }
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const client = new ControlClient(controlSocketPath(stateDir));
  if (endOutage === true) {
    await client.endOutage();
    stdout.write('Outage mode is over; the gateway is tried at once.\n');
    return EXIT.ok;
  }
  if (type !== undefined) {
    const request = { type, dryRun: dryRun === true, ...(scope !== undefined && { scope }) };
    const last = await client.recover(request, (line) => {
      stdout.write(json === true ? `${JSON.stringify(line)}\n` : renderProgress(line, style));
    });
    return last.ok === false ? EXIT.failed : EXIT.ok;
  }
  const overview = await client.recovery();
  const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
  const text =
    json === true ? JSON.stringify(overview, null, 2) : renderRecovery(overview, { ...style, width, now: Date.now() });
  stdout.write(`${text}\n`);
  return EXIT.ok;
}
