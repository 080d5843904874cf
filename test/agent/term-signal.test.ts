import { EventEmitter } from 'node:events';
import { TermSignal } from '../../src/agent/term-signal';

class FakeProcess extends EventEmitter {
  readonly pid = 7;
  readonly killed: [number, string][] = [];
  kill(pid: number, signal: string): void {
    this.killed.push([pid, signal]);
  }
}

let process: FakeProcess;
let holding: boolean;
beforeEach(() => {
  process = new FakeProcess();
  holding = true;
  new TermSignal(process, () => holding).install();
});

test('what is held back reaches no handler of the bot; the next one does', () => {
  const handler = jest.fn();
  process.on('SIGTERM', handler);
  expect(process.emit('SIGTERM', 'SIGTERM', 15)).toBe(true);
  expect(handler).not.toHaveBeenCalled();
  holding = false;
  process.emit('SIGTERM', 'SIGTERM', 15);
  expect(handler).toHaveBeenCalledWith('SIGTERM', 15);
  expect(process.killed).toEqual([]);
});

test('a bot without a handler ends by the signal itself', () => {
  holding = false;
  process.emit('SIGTERM');
  expect(process.killed).toEqual([[7, 'SIGTERM']]);
  expect(process.listenerCount('SIGTERM')).toBe(0);
});

test('other events pass', () => {
  const handler = jest.fn();
  process.on('SIGINT', handler);
  process.emit('SIGINT', 2);
  expect(handler).toHaveBeenCalledWith(2);
});
