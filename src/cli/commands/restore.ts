import { loadConfig } from '../../config';
import { EXIT } from '../../control/contract';
import { Restore } from '../../supervisor/maintenance/restore';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../follow';
import { version } from '../version';

interface RestoreOptions extends CommonOptions {
  /** The backup. */
  argument: string;
  to: string;
  shard?: number;
  force?: true;
}

/** In this process: the supervisor may not run while its databases are replaced. */
export async function restore(options: RestoreOptions, context: CliContext): Promise<number> {
  // No token is needed to restore.
  const loaded = await loadConfig({
    cwd: context.cwd,
    file: configFile(options, context),
    env: context.env,
    sandbox: true,
  });
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new Error('interrupted'));
  process.once('SIGINT', interrupt);
  try {
    await follow(context, async (tell) => {
      const say = (text: string): void => tell({ done: false, text });
      const work = new Restore(loaded.config, version(), context.env, abort.signal, say);
      const request = { id: options.argument, to: options.to, shard: options.shard ?? null };
      const text = await work.run({ ...request, force: options.force === true });
      const line = { done: true, ok: true, text };
      tell(line);
      return line;
    });
    return EXIT.ok;
  } finally {
    process.off('SIGINT', interrupt);
  }
}
