import type { ReadStream, WriteStream } from 'node:tty';
import { Style, type StyleOptions } from './style';

export type ScreenOutput = Pick<WriteStream, 'write' | 'rows' | 'on' | 'removeListener'>;
export type ScreenInput = Pick<
  ReadStream,
  'isTTY' | 'setRawMode' | 'resume' | 'pause' | 'unref' | 'on' | 'removeListener'
>;

export interface ScreenOptions {
  stdout: ScreenOutput;
  stdin: ScreenInput;
  style: StyleOptions;
  /** q, Esc, Ctrl-C. */
  onQuit: () => void;
  /** The terminal has another size: a text of the new width is to be shown. */
  onResize: () => void;
}

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const DEFAULT_ROWS = 24;

const KEY = /\u001b\[[\d;]*[A-Za-z~]|[^]/g;
const QUIT = new Set(['q', 'Q', '\u001b', '\u0003', '\u0004']);
/** Rows to scroll by; a page is what fits. */
const SCROLL: Record<string, (page: number) => number> = {
  '\u001b[A': () => -1,
  k: () => -1,
  '\u001b[B': () => 1,
  j: () => 1,
  '\u001b[5~': (page) => -page,
  '\u001b[6~': (page) => page,
  ' ': (page) => page,
  '\u001b[H': () => -Infinity,
  g: () => -Infinity,
  '\u001b[F': () => Infinity,
  G: () => Infinity,
};

/** A text on the whole terminal, refreshed in place; what was there before comes back at the end. */
export class Screen {
  readonly #style: Style;
  #lines: string[] = [];
  #top = 0;
  #open = false;

  constructor(private readonly options: ScreenOptions) {
    this.#style = new Style(options.style);
  }

  open(): void {
    const { stdout, stdin, onResize } = this.options;
    this.#open = true;
    stdout.write(ENTER);
    stdout.on('resize', onResize);
    process.on('exit', this.close);
    if (!stdin.isTTY) return;
    stdin.setRawMode(true);
    stdin.on('data', this.#onKeys);
    stdin.resume();
    stdin.unref();
  }

  /** Shows the part of the text that fits; the rest is reached by scrolling. */
  show(text: string): void {
    this.#lines = text.trimEnd().split('\n');
    this.#draw();
  }

  /** Gives the terminal back. Safe to call twice. */
  readonly close = (): void => {
    if (!this.#open) return;
    this.#open = false;
    const { stdout, stdin, onResize } = this.options;
    process.removeListener('exit', this.close);
    stdout.removeListener('resize', onResize);
    if (stdin.isTTY) {
      stdin.removeListener('data', this.#onKeys);
      stdin.setRawMode(false);
      stdin.pause();
    }
    stdout.write(LEAVE);
  };

  /** Rows for the text: the last one is for the keys. */
  get #page(): number {
    return Math.max(1, (this.options.stdout.rows || DEFAULT_ROWS) - 1);
  }

  /** Keys that were pressed quickly come together. */
  readonly #onKeys = (keys: Buffer | string): void => {
    for (const [key] of keys.toString().matchAll(KEY)) {
      if (QUIT.has(key)) return this.options.onQuit();
      this.#top += SCROLL[key]?.(this.#page) ?? 0;
      this.#draw();
    }
  };

  #draw(): void {
    if (!this.#open) return;
    const page = this.#page;
    const last = Math.max(0, this.#lines.length - page);
    this.#top = Math.min(last, Math.max(0, this.#top));
    const shown = this.#lines.slice(this.#top, this.#top + page);
    const rows = [...shown, ...Array<string>(page - shown.length).fill(''), this.#footer(page)];
    this.options.stdout.write(HOME + rows.map((row) => row + CLEAR_LINE).join('\r\n') + CLEAR_BELOW);
  }

  #footer(page: number): string {
    const total = this.#lines.length;
    const more = total > page ? `, arrows scroll: lines ${this.#top + 1} to ${this.#top + page} of ${total}` : '';
    return this.#style.paint('quiet', `q quits${more}`);
  }
}
