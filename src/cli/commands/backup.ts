import { loadConfig } from '../../config';
import { locateState } from '../../config/locate';
import { ControlClient } from '../../control/client';
import { EXIT } from '../../control/contract';
import { controlSocketPath } from '../../control/socket-path';
import { BackupError } from '../../maintenance/backup/target';
import { backupStore, createBackups } from '../../supervisor/maintenance/backups';
import { trialDatabases } from '../../supervisor/maintenance/trial-databases';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { follow } from '../follow';
import { renderBackups } from '../render/backups';
import { version } from '../version';

interface NowOptions extends CommonOptions {
  force?: true;
}

interface ListOptions extends CommonOptions {
  json?: true;
}

interface VerifyOptions extends CommonOptions {
  /** The backup; absent: the newest. */
  argument?: string;
  files?: true;
}

const DEFAULT_WIDTH = 100;

/** By the supervisor: it knows the databases, and that nobody else is at it. Whoever asks for a backup wants none to go. */
export async function backupNow(options: NowOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const client = new ControlClient(controlSocketPath(stateDir));
  const request = { tasks: ['backup'], dryRun: false, force: options.force === true };
  const last = await follow(context, (tell) => client.maintain(request, tell));
  return last.ok === false ? EXIT.failed : EXIT.ok;
}

/** Without the supervisor: a backup is needed most when nothing else is left. */
export async function backupList(options: ListOptions, context: CliContext): Promise<number> {
  const { config } = await load(options, context);
  const store = backupStore(config);
  const backups = await store.list();
  const { stdout, style } = context;
  const target = store.target.address;
  if (options.json === true) stdout.write(`${JSON.stringify({ target, backups }, null, 2)}\n`);
  else {
    const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
    stdout.write(renderBackups({ target, backups }, { ...style, width, now: Date.now() }));
  }
  return backups.some(({ problem }) => problem === null) ? EXIT.ok : EXIT.failed;
}

export async function backupVerify(options: VerifyOptions, context: CliContext): Promise<number> {
  const { config } = await load(options, context);
  const { signal } = new AbortController();
  const last = await follow(context, async (tell) => {
    const id = options.argument ?? (await backupStore(config).list())[0]?.id;
    if (id === undefined) throw new BackupError('There is no backup.', 'Make one: botctl backup now');
    const say = (text: string): void => tell({ done: false, text });
    const trial = await trialDatabases(config, id, signal);
    try {
      const { verifier } = createBackups(config, trial.urls, version());
      if (options.files === true) await verifier.check(id, signal, say);
      else await verifier.verify(id, signal, say);
    } finally {
      await trial.end();
    }
    const proof = options.files === true ? 'its files are as they were written' : 'restored; all tables are the same';
    const line = { done: true, ok: true, text: `backup ${id}: ${proof}` };
    tell(line);
    return line;
  });
  return last.ok ? EXIT.ok : EXIT.failed;
}

async function load(options: CommonOptions, context: CliContext): ReturnType<typeof loadConfig> {
  // No token is needed to look at backups.
  return loadConfig({ cwd: context.cwd, file: configFile(options, context), env: context.env, sandbox: true });
}
