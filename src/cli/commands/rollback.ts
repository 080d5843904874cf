import { locateState } from '../../config/locate';
import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { LIVE } from '../../deploy/releases/release';
import { ReleaseStore } from '../../deploy/releases/store';
import { isRunning, readSupervisorRecord } from '../../supervisor/supervisor-lock';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../render/follow';
import { followed } from './deploy';

interface RollbackOptions extends CommonOptions {
  /** Id of a release. */
  argument?: string;
}

export async function rollback(options: RollbackOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const record = readSupervisorRecord(stateDir);
  if (record === null || !isRunning(record)) return rollbackWithout(stateDir, options.argument ?? null, context);
  const client = new ControlClient(controlSocketPath(stateDir));
  const request = { release: options.argument ?? null };
  return followed(() => follow(context, (onProgress) => client.rollback(request, onProgress)));
}

/** No supervisor runs: the next start takes the release. */
function rollbackWithout(stateDir: string, asked: string | null, { stdout }: CliContext): number {
  const store = new ReleaseStore(stateDir);
  const to = asked === null ? store.current.previous : asked === LIVE ? LIVE : store.find(asked).id;
  if (to === null) throw new CliError('There is no release before this one.', EXIT.failed, 'See: botctl releases');
  store.setCurrent(to, Date.now());
  stdout.write(`botctl does not run: its next start takes ${to === LIVE ? "the bot's own folder" : `release ${to}`}\n`);
  return EXIT.ok;
}
