import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { locateState } from '../../config/locate';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { renderProgress } from '../render/progress';

interface RestartOptions extends CommonOptions {
  cluster?: number;
  shard?: number;
  cold?: boolean;
}

export async function restart(options: RestartOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const { cluster, shard, cold } = options;
  const request = {
    ...(cluster !== undefined && { cluster }),
    ...(shard !== undefined && { shard }),
    ...(cold !== undefined && { cold }),
  };
  const client = new ControlClient(controlSocketPath(stateDir));
  const last = await client.restart(request, (line) => context.stdout.write(renderProgress(line, context.style)));
  return last.ok === false ? EXIT.failed : EXIT.ok;
}
