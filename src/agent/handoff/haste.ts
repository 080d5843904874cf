import { getPriority, setPriority } from 'node:os';

/** By so many steps of niceness. */
const STEPS = 10;
const LEAST_NICE = -20;
/** Never for longer, ms, whatever becomes of the handoff. */
const LONGEST_MS = 2_000;

/**
 * Puts this process's main thread before all others, until the function that it returns is called: for the moment in which
 * nobody serves. Without the right to do so (root, CAP_SYS_NICE, RLIMIT_NICE) nothing changes.
 */
export function makeHaste(): () => void {
  try {
    const usual = getPriority();
    setPriority(Math.max(LEAST_NICE, usual - STEPS));
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      setPriority(usual); // always allowed
    };
    const timer = setTimeout(end, LONGEST_MS).unref();
    return end;
  } catch {
    return () => undefined;
  }
}
