import { join } from 'node:path';
import { EXIT } from '../../control/contract';
import { locateState } from '../../config/locate';
import { prettyLines } from '../../logging/pretty';
import { readLogs } from '../../logging/read-logs';
import { configFile, type CliContext, type CommonOptions } from '../context';

interface LogsOptions extends CommonOptions {
  follow?: true;
  lines: number;
  cluster?: number;
  level?: string;
  json?: true;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export async function logs(options: LogsOptions, context: CliContext): Promise<number> {
  const { stateDir } = await locateState({ cwd: context.cwd, file: configFile(options, context), env: context.env });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  context.stdout.once('error', () => stop.abort());
  const format = options.json === true ? (line: string) => `${line}\n` : prettyLines(context.style.color);
  const { level, cluster } = options;
  const lines = readLogs({
    dir: join(stateDir, 'logs'),
    lines: options.lines,
    follow: options.follow === true,
    signal: stop.signal,
    ...(cluster !== undefined && { cluster }),
    ...(level !== undefined && { wanted: (record: Record<string, unknown>) => isAtLeast(record['level'], level) }),
  });
  for await (const { raw } of lines) context.stdout.write(format(raw));
  return EXIT.ok;
}

function isAtLeast(level: unknown, least: string): boolean {
  return LEVELS.indexOf(String(level)) >= LEVELS.indexOf(least) && least !== 'silent';
}
