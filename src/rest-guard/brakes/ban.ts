import type { RestEvent } from '../events';

/** Discord does not say how long a ban lasts; it has been up to an hour. First and longest time between two tries, ms. */
const FIRST_MS = 60_000;
const LONGEST_MS = 5 * 60_000;

/** While the address is banned nothing is sent but one request at growing intervals, to see whether it is over. */
export class Ban {
  #until = 0;
  #waitMs = 0;
  #probing = false;

  constructor(
    private readonly now: () => number,
    private readonly emit: (event: RestEvent) => void,
    private readonly firstMs = FIRST_MS,
  ) {}

  get isOn(): boolean {
    return this.#waitMs > 0;
  }

  /** Until the next request may be sent, ms. */
  get remainingMs(): number {
    return this.isOn ? Math.max(0, this.#until - this.now()) : 0;
  }

  /** Whether a request may be sent: always, unless there is a ban; then one, when its time has come. */
  admits(): boolean {
    if (!this.isOn) return true;
    if (this.#probing || this.remainingMs > 0) return false;
    this.#probing = true;
    return true;
  }

  /** The ban's own answer has come. */
  hit(): void {
    const wasOn = this.isOn;
    // Answers to what was under way when it began are no second refusal.
    if (wasOn && !this.#probing) return;
    this.#waitMs = wasOn ? Math.min(LONGEST_MS, this.#waitMs * 2) : this.firstMs;
    this.#until = this.now() + this.#waitMs;
    this.#probing = false;
    if (!wasOn) this.emit({ type: 'rest.banned', banned: true, forMs: this.#waitMs });
  }

  /** Discord's own answer has come, whatever it says. */
  lifted(): void {
    if (!this.isOn) return;
    if (!this.#probing) return; // sent before the ban
    this.#waitMs = 0;
    this.#probing = false;
    this.emit({ type: 'rest.banned', banned: false, forMs: 0 });
  }

  /** The request that should have told came to nothing: the next one tells. */
  unknown(): void {
    this.#probing = false;
  }
}
