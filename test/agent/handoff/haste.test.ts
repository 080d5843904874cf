import { getPriority, setPriority } from 'node:os';
import { makeHaste } from '../../../src/agent/handoff/haste';

const usual = getPriority();
/** Where this process may not go first, nothing is to change. */
const hasty = mayGoFirst() ? Math.max(-20, usual - 10) : usual;

function mayGoFirst(): boolean {
  try {
    setPriority(usual - 1);
    setPriority(usual);
    return true;
  } catch {
    return false;
  }
}

afterEach(() => jest.useRealTimers());

test('this process goes first until it is told that it is over, and is as before then', () => {
  const end = makeHaste();
  expect(getPriority()).toBe(hasty);
  end();
  end();
  expect(getPriority()).toBe(usual);
});

test('never for longer than two seconds', () => {
  jest.useFakeTimers();
  makeHaste();
  jest.advanceTimersByTime(1_999);
  expect(getPriority()).toBe(hasty);
  jest.advanceTimersByTime(1);
  expect(getPriority()).toBe(usual);
});
