/** Lets one start run at a time: callers meanwhile share it, and a stop calls it off. */
export class SingleStart<T> {
  #current: { outcome: Promise<T>; abort: AbortController } | null = null;

  /** @param signal the first caller's; it calls the shared start off */
  run(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#current !== null) return this.#current.outcome;
    const abort = new AbortController();
    const forward = (): void => abort.abort();
    signal.addEventListener('abort', forward, { once: true });
    if (signal.aborted) forward();
    const outcome = work(abort.signal).finally(() => {
      signal.removeEventListener('abort', forward);
      this.#current = null;
    });
    this.#current = { outcome, abort };
    return outcome;
  }

  /** Calls the start under way off and waits until it has settled, either way. */
  async cancel(): Promise<void> {
    const current = this.#current;
    current?.abort.abort();
    await current?.outcome.catch(() => undefined);
  }
}
