/** One at a time, in the order of asking. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /**
   * Resolves when it is the caller's turn, which lasts until it calls what it is given.
   * @throws the signal's reason; the turn is passed on
   */
  async take(signal: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let end: () => void = () => undefined;
    this.#last = new Promise((resolve) => (end = resolve));
    await new Promise<void>((resolve) => {
      const go = (): void => {
        signal.removeEventListener('abort', go);
        resolve();
      };
      signal.addEventListener('abort', go);
      if (signal.aborted) go();
      else void before.then(go);
    });
    if (signal.aborted) {
      void before.then(end);
      signal.throwIfAborted();
    }
    return end;
  }
}
