/** Time as the master sees it; injected so that tests can move it. */
export interface Clock {
  /** ms since the epoch. */
  now(): number;
  /** Calls `fn` once after `ms`; the returned function cancels. Does not keep the process alive. */
  after(ms: number, fn: () => void): () => void;
}

/** Longest delay that setTimeout keeps (2^31-1 ms); longer waits are cut into steps of it. */
const MAX_TIMEOUT_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      const step = Math.min(Math.max(0, left), MAX_TIMEOUT_MS);
      timer = setTimeout(() => (left > step ? arm(left - step) : fn()), step).unref();
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};
