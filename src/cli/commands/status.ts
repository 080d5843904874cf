import { setTimeout as delay } from 'node:timers/promises';
import type { Status } from '../../control/contract';
import { locateState, type Located } from '../../config/locate';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { Screen } from '../render/screen';
import { renderStatus } from '../render/status';
import { exitCodeOf, observe } from '../supervisor-view';

interface StatusOptions extends CommonOptions {
  json?: true;
  watch?: true;
  shards?: true;
}

const REFRESH_MS = 1_000;
const DEFAULT_WIDTH = 100;

export async function status(options: StatusOptions, context: CliContext): Promise<number> {
  const located = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  if (options.watch === true) return watch(located, options, context);
  const found = await observe(located);
  context.stdout.write(format(found, options, context));
  return exitCodeOf(found);
}

async function watch(located: Located, options: StatusOptions, context: CliContext): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  let last = await observe(located);
  const screen = context.stdout.isTTY && options.json !== true ? openScreen() : null;
  try {
    for (;;) {
      const text = format(last, options, context);
      // In a pipe the readings follow each other; JSON then is one line each.
      if (screen === null) context.stdout.write(text);
      else screen.show(text);
      await delay(REFRESH_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) return exitCodeOf(last);
      last = await observe(located);
    }
  } finally {
    screen?.close();
  }

  function openScreen(): Screen {
    const made = new Screen({
      ...context,
      onQuit: () => stop.abort(),
      onResize: () => made.show(format(last, options, context)),
    });
    made.open();
    return made;
  }
}

function format(found: Status, options: StatusOptions, { stdout, style }: CliContext): string {
  if (options.json === true) return `${JSON.stringify(found, null, options.watch === true ? 0 : 2)}\n`;
  const width = stdout.isTTY ? stdout.columns : DEFAULT_WIDTH;
  return renderStatus(found, { ...style, width, now: Date.now(), allShards: options.shards === true });
}
