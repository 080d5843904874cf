/** One mistake in a config. Lines and columns count from 1. */
export interface Problem {
  file: string;
  line: number;
  column: number;
  /** Path of the key, such as `sharding.totalShards`; empty for the file as a whole. */
  key: string;
  message: string;
  /** What to do about it. */
  hint: string | null;
}

/** The config cannot be used: all its mistakes at once, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Wrong usage, see EXIT. */
  readonly exitCode = 2;
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
    super(sorted.map(formatProblem).join('\n'));
    this.problems = sorted;
  }
}

export function formatProblem({ file, line, column, key, message, hint }: Problem): string {
  const at = line > 0 ? `${file}:${line}:${column}` : file;
  return `${at}: ${key === '' ? '' : `${key}: `}${message}${hint === null ? '' : `. ${hint}`}`;
}
