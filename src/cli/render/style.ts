import { createColors } from 'picocolors';

export type Tone = 'good' | 'busy' | 'bad' | 'quiet' | 'strong' | 'none';

export interface StyleOptions {
  color: boolean;
  /** false: only ASCII, for terminals that are not UTF-8. */
  unicode: boolean;
}

/** Colour and signs, so that every state has a sign and a word beside its colour. */
export class Style {
  readonly #tones: Record<Tone, (text: string) => string>;
  readonly #unicode: boolean;

  constructor({ color, unicode }: StyleOptions) {
    const colors = createColors(color);
    this.#tones = {
      good: colors.green,
      busy: colors.yellow,
      bad: colors.red,
      quiet: colors.dim,
      strong: colors.bold,
      none: (text) => text,
    };
    this.#unicode = unicode;
  }

  paint(tone: Tone, text: string): string {
    return this.#tones[tone](text);
  }

  sign(tone: Tone): string {
    const [unicode, ascii] = SIGNS[tone];
    return this.paint(tone, this.#unicode ? unicode : ascii);
  }
}

const SIGNS: Record<Tone, [unicode: string, ascii: string]> = {
  good: ['●', '*'],
  busy: ['◐', '~'],
  bad: ['▲', '!'],
  quiet: ['○', 'o'],
  strong: ['●', '*'],
  none: [' ', ' '],
};

/** What the stream at hand can show. */
export function styleFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): StyleOptions {
  const set = (name: string): boolean => (env[name] ?? '') !== '';
  const forced = set('FORCE_COLOR') && env['FORCE_COLOR'] !== '0';
  const color = !set('NO_COLOR') && env['TERM'] !== 'dumb' && (stream.isTTY === true || forced);
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => (value ?? '') !== '') ?? '';
  return { color, unicode: /utf-?8/i.test(locale) };
}

const COLOR = /\u001b\[[\d;]*m/g;

/** Columns that the text takes on the screen. */
export function visibleWidth(text: string): number {
  return Array.from(text.replace(COLOR, '')).length;
}
