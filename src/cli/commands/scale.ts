import { locateState } from '../../config/locate';
import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../render/follow';

interface ScaleOptions extends CommonOptions {
  clusters?: number;
  shardsPerCluster?: number;
  cold?: boolean;
  dryRun?: boolean;
  force?: boolean;
}

export async function scale(options: ScaleOptions, context: CliContext): Promise<number> {
  const { clusters, shardsPerCluster, cold = false, dryRun = false, force = false } = options;
  if (clusters === undefined && shardsPerCluster === undefined) {
    const hint = 'Give --clusters or --shards-per-cluster; see: botctl scale --help';
    throw new CliError('Scale to what?', EXIT.usage, hint);
  }
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const request = {
    ...(clusters !== undefined && { clusters }),
    ...(shardsPerCluster !== undefined && { shardsPerCluster }),
    ...{ cold, dryRun, force },
  };
  const client = new ControlClient(controlSocketPath(stateDir));
  return await follow(context, (onProgress) => client.scale(request, onProgress));
}
