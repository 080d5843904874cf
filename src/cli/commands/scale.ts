import { locateState } from '../../config/locate';
import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { CliError } from '../cli-error';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../render/follow';

interface ScaleOptions extends CommonOptions {
  shards?: number;
  clusters?: number;
  shardsPerCluster?: number;
  cold?: boolean;
  dryRun?: boolean;
  force?: boolean;
}

export async function scale(options: ScaleOptions, context: CliContext): Promise<number> {
  const { shards, clusters, shardsPerCluster, cold = false, dryRun = false, force = false } = options;
  if (shards === undefined && clusters === undefined && shardsPerCluster === undefined) {
    const hint = 'Give --clusters, --shards-per-cluster or --shards; see: botctl scale --help';
    throw new CliError('Scale to what?', EXIT.usage, hint);
  }
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const request = {
    ...(shards !== undefined && { shards }),
    ...(clusters !== undefined && { clusters }),
    ...(shardsPerCluster !== undefined && { shardsPerCluster }),
    ...{ cold, dryRun, force },
  };
  const client = new ControlClient(controlSocketPath(stateDir));
  return await follow(context, (onProgress) => client.scale(request, onProgress));
}
