import { locateState } from '../../config/locate';
import { ControlClient } from '../../control/client';
import { controlSocketPath } from '../../control/socket-path';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../render/follow';
import { followed } from './deploy';

export async function reload(options: CommonOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const client = new ControlClient(controlSocketPath(stateDir));
  return followed(() => follow(context, (onProgress) => client.reload(onProgress)));
}
