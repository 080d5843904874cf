import { EventEmitter } from 'node:events';
import { Screen, type ScreenInput, type ScreenOutput } from '../../../src/cli/render/screen';

class FakeTerminal extends EventEmitter {
  rows = 5;
  written = '';
  write(text: string): boolean {
    this.written += text;
    return true;
  }
  /** Rows of the last drawing, without the control sequences. */
  get drawn(): string[] {
    const last = this.written.split('\u001b[H').at(-1) ?? '';
    return last.replace(/\u001b\[[?\d]*[A-Za-z]/g, '').split('\r\n');
  }
}

class FakeKeyboard extends EventEmitter {
  isTTY = true;
  raw: boolean[] = [];
  setRawMode(on: boolean): void {
    this.raw.push(on);
  }
  resume(): void {}
  pause(): void {}
  unref(): void {}
}

const TEXT = Array.from({ length: 10 }, (_, n) => `line ${n + 1}`).join('\n') + '\n';

let terminal: FakeTerminal;
let keyboard: FakeKeyboard;
let quits: number;
let screen: Screen;
beforeEach(() => {
  terminal = new FakeTerminal();
  keyboard = new FakeKeyboard();
  quits = 0;
  screen = new Screen({
    stdout: terminal as unknown as ScreenOutput,
    stdin: keyboard as unknown as ScreenInput,
    style: { color: false, unicode: true },
    onQuit: () => quits++,
    onResize: () => screen.show(TEXT),
  });
  screen.open();
});
afterEach(() => screen.close());

test('the first lines are seen, never the last ones only; the last row names the keys', () => {
  screen.show(TEXT);
  expect(terminal.drawn).toEqual([
    'line 1',
    'line 2',
    'line 3',
    'line 4',
    'q quits, arrows scroll: lines 1 to 4 of 10',
  ]);
  screen.show('short');
  expect(terminal.drawn).toEqual(['short', '', '', '', 'q quits']);
});

test.each([
  ['\u001b[B', 'line 2'],
  ['j', 'line 2'],
  ['jj\u001b[B', 'line 4'],
  [' ', 'line 5'],
  ['\u001b[6~', 'line 5'],
  ['G', 'line 7'],
  ['\u001b[F', 'line 7'],
  ['\u001b[A', 'line 1'],
])('scrolls by %j, not past the ends, and stays there when the text is refreshed', (key, first) => {
  screen.show(TEXT);
  keyboard.emit('data', Buffer.from(key));
  screen.show(TEXT);
  expect(terminal.drawn[0]).toBe(first);
  for (const home of ['\u001b[5~', 'g']) keyboard.emit('data', Buffer.from(home));
  expect(terminal.drawn[0]).toBe('line 1');
});

test('a new size is drawn at once', () => {
  screen.show(TEXT);
  terminal.rows = 12;
  terminal.emit('resize');
  expect(terminal.drawn).toHaveLength(12);
  expect(terminal.drawn.at(-1)).toBe('q quits');
});

test.each(['q', '\u001b', '\u0003'])('%j quits', (key) => {
  keyboard.emit('data', Buffer.from(key));
  expect(quits).toBe(1);
});

test('gives everything back: the screen, the cursor, the keyboard, its listeners', () => {
  const listeners = process.listenerCount('exit');
  screen.close();
  screen.close();
  expect(terminal.written.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
  expect(terminal.written.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  expect(keyboard.raw).toEqual([true, false]);
  expect(process.listenerCount('exit')).toBe(listeners - 1);
  expect([terminal.listenerCount('resize'), keyboard.listenerCount('data')]).toEqual([0, 0]);
  screen.show(TEXT); // late: draws nothing
  expect(terminal.written.endsWith('\u001b[?1049l')).toBe(true);
});
