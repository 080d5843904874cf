import { EXIT, type Progress } from '../../control/contract';
import type { CliContext } from '../context';
import { plainText } from './format';
import { renderProgress } from './progress';
import { Style } from './style';

const BAR_CELLS = 20;
const REWRITE_LINE = '\r\u001b[K';

/** Shows a long request: line by line, on a terminal with a bar below that moves. Returns the exit code. */
export async function follow(
  { stdout, style }: Pick<CliContext, 'stdout' | 'style'>,
  run: (onProgress: (line: Progress) => void) => Promise<Progress>,
): Promise<number> {
  let said = '';
  const last = await run((line) => {
    const text = renderProgress(line, style);
    const erase = stdout.isTTY ? REWRITE_LINE : '';
    // Two batches in step say the same thing twice.
    if (text !== said || line.done) stdout.write(`${erase}${text}`);
    said = text;
    if (stdout.isTTY && !line.done && line.share !== undefined) {
      stdout.write(renderBar(line.share, stdout.columns, style));
    }
  });
  return last.ok === false ? EXIT.failed : EXIT.ok;
}

/** A bar of what is done, without a line end. */
export function renderBar(share: number, width: number, options: CliContext['style']): string {
  const style = new Style(options);
  const cells = Math.max(5, Math.min(BAR_CELLS, width - 10));
  const full = Math.round(Math.max(0, Math.min(1, share)) * cells);
  const [on, off] = options.unicode ? ['█', '░'] : ['#', '.'];
  const bar = style.paint('good', on.repeat(full)) + style.paint('quiet', off.repeat(cells - full));
  return plainText(`${Math.round(share * 100)} %`).padStart(5) + ` ${bar}`;
}
