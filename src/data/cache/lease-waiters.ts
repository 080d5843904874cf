import type { Clock } from '../../clock';

/** How a wait for another process's load ended. */
export type WaitEnd = { kind: 'over' } | { kind: 'failed'; reason: string };

/** Those in this process who wait for another process to load a key. */
export class LeaseWaiters {
  readonly #waiting = new Map<string, Set<(end: WaitEnd) => void>>();

  constructor(private readonly clock: Clock) {}

  /** Listens from now on, so that nothing is missed between asking for a lease and waiting for it. */
  listen(name: string): { ended: (withinMs: number) => Promise<WaitEnd>; stop: () => void } {
    let settle: (end: WaitEnd) => void = () => undefined;
    const end = new Promise<WaitEnd>((resolve) => (settle = resolve));
    const waiters = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiters.add(settle));
    const stop = (): void => {
      if (waiters.delete(settle) && waiters.size === 0 && this.#waiting.get(name) === waiters) {
        this.#waiting.delete(name);
      }
    };
    const ended = async (withinMs: number): Promise<WaitEnd> => {
      const cancel = this.clock.after(withinMs, () => settle({ kind: 'over' }));
      try {
        return await end;
      } finally {
        cancel();
        stop();
      }
    };
    return { ended, stop };
  }

  wake(name: string, end: WaitEnd): void {
    for (const settle of this.#waiting.get(name) ?? []) settle(end);
  }

  /** After missed messages: everybody looks again. */
  wakeAll(): void {
    for (const waiters of this.#waiting.values()) for (const settle of waiters) settle({ kind: 'over' });
  }
}
