import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition; fails, with what it waited for, when it does not come. Durations in ms. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  {
    timeoutMs = 45_000,
    everyMs = 10,
    what = condition.toString(),
  }: { timeoutMs?: number; everyMs?: number; what?: string | (() => string) } = {},
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    await delay(everyMs);
  }
}
