import type { Progress } from '../control/contract';
import type { CliContext } from './context';
import { renderProgress } from './render/progress';

const REWRITE_LINE = '\r\u001b[K';

/**
 * Shows the progress of a long request: on a terminal in one line that changes, in a pipe line by line.
 * @param context null: shows nothing
 * @returns the last line
 */
export async function follow(
  context: Pick<CliContext, 'stdout' | 'style'> | null,
  run: (onProgress: (line: Progress) => void) => Promise<Progress>,
): Promise<Progress> {
  return run((line) => {
    if (context === null) return;
    const { stdout, style } = context;
    const text = renderProgress(line, style);
    if (!stdout.isTTY) stdout.write(text);
    else stdout.write(REWRITE_LINE + (line.done ? text : text.trimEnd().slice(0, stdout.columns - 1)));
  });
}
