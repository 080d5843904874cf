import type { Progress } from '../../control/contract';
import { plainText } from './format';
import { Style, type StyleOptions } from './style';

/** One line of a long request as it comes in, ending with a line end. */
export function renderProgress(progress: Progress, options: StyleOptions): string {
  const style = new Style(options);
  const tone = !progress.done ? 'quiet' : progress.ok === false ? 'bad' : 'good';
  return `${style.sign(tone)} ${plainText(progress.text)}\n`;
}
