import type { Clock } from '../../clock';

/** An answer that takes longer comes from an event loop that is behind with its work, ms. */
const CALM_MS = 20;
const CALM_IN_A_ROW = 5;
const EVERY_MS = 50;

/** How fast the main thread of a process answers. */
export class Pulse {
  readonly #asked = new Map<number, () => void>();
  /** Not one of the hang detector's. */
  #nextId = -1;

  constructor(
    private readonly clock: Clock,
    private readonly ping: (id: number) => void,
  ) {}

  onPong(id: number): void {
    this.#asked.get(id)?.();
  }

  /**
   * Resolves when it answers at once, several times in a row. A process that has just taken over is behind for a moment:
   * its code is not compiled yet.
   * @param mostMs resolves after so long in any case
   */
  async calm(mostMs: number): Promise<void> {
    const until = this.clock.now() + mostMs;
    for (let calm = 0; calm < CALM_IN_A_ROW && this.clock.now() < until;) {
      const askedAt = this.clock.now();
      await this.#answer(until - askedAt);
      calm = this.clock.now() - askedAt <= CALM_MS ? calm + 1 : 0;
      await new Promise<void>((resolve) => this.clock.after(EVERY_MS, resolve));
    }
  }

  async #answer(mostMs: number): Promise<void> {
    const id = this.#nextId--;
    await new Promise<void>((resolve) => {
      const cancel = this.clock.after(mostMs, resolve);
      this.#asked.set(id, () => {
        cancel();
        resolve();
      });
      this.ping(id);
    });
    this.#asked.delete(id);
  }
}
