import type { Writable } from 'node:stream';
import { pino, stdTimeFunctions, type Logger } from 'pino';
import { LineOutput } from './line-output';
import { prettyLines } from './pretty';
import { Redactor } from './redactor';
import { RollingFiles } from './rolling-files';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface LoggingOptions {
  level: LogLevel;
  /** auto: pretty on a terminal, JSON in a pipe. */
  format: 'auto' | 'pretty' | 'json';
  /** Folder of the log files; none are written without it. */
  dir?: string;
  /** Bytes that all log files together may take. */
  maxBytes: number;
  /** Values that must never be written. */
  secrets: readonly string[];
  /** Default: process.stdout. null: files only. */
  stdout?: (Writable & { isTTY?: boolean }) | null;
  env?: NodeJS.ProcessEnv;
}

export interface Logging {
  logger: Logger;
  redactor: Redactor;
  /** null when no folder was given. */
  files: RollingFiles | null;
  /** Writes out what is pending and closes the files. Never rejects. */
  readonly close: () => Promise<void>;
}

/**
 * Every line is redacted by value once, as serialised text, before any sink sees it; it goes to stdout and to the files.
 * All in this process: no worker threads, so a crash loses at most the last batch and nothing runs on after the end.
 */
export function createLogger(options: LoggingOptions): Logging {
  const redactor = new Redactor(options.secrets);
  const stream = options.stdout === undefined ? process.stdout : options.stdout;
  const output = stream === null ? null : new LineOutput(stream);
  const format = stream === null ? null : formatFor(options, stream.isTTY === true);
  const files =
    options.dir === undefined
      ? null
      : new RollingFiles({
          dir: options.dir,
          maxBytes: options.maxBytes,
          onRecovered: (dropped, reason) =>
            logger.warn({ dropped, reason }, `${dropped} log lines could not be written to the log files: ${reason}`),
        });

  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(raw: string) {
        const line = `${redactor.redactJsonLine(raw.trimEnd())}\n`;
        if (output !== null && format !== null) output.write(format(line));
        files?.write(line);
      },
    },
  );

  const close = async (): Promise<void> => {
    await Promise.allSettled([files?.close(), output?.flush()]);
  };
  return { logger, redactor, files, close };
}

function formatFor(options: LoggingOptions, isTTY: boolean): (line: string) => string {
  const pretty = options.format === 'pretty' || (options.format === 'auto' && isTTY);
  if (!pretty) return (line) => line;
  const env = options.env ?? process.env;
  const noColor = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  return prettyLines(isTTY && !noColor && env['TERM'] !== 'dumb');
}
