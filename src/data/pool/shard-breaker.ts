import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleAll, isBrokenCircuitError } from 'cockatiel';

export type CircuitName = 'closed' | 'open' | 'half-open';

export interface ShardBreakerOptions {
  /** A look of its own at the server; rejects when it does not serve. */
  probe: () => Promise<void>;
  /** Has the server owed an answer for too long? Asked while the circuit is closed. */
  isSilent: () => boolean;
  /** Why the circuit has opened; null: it has closed. */
  onChange?: ((reason: string | null) => void) | undefined;
}

/** While the circuit is open the server is looked at this often, ms. */
const PROBE_MS = 250;
/** A closed circuit is not doubted more often than this, ms. */
const DOUBT_MS = 500;
/** How often it is seen to that answers come, ms. */
const WATCH_MS = 1_000;

/**
 * Keeps callers from waiting for a server that is gone. Failures of statements only raise the doubt; whether the circuit
 * opens and closes is decided by probes of its own, so that no caller has to be the one who finds out.
 */
export class ShardBreaker {
  /** Read before each statement, hence a field. */
  isOpen = false;
  reason: string | null = null;
  #closed = false;
  #probing = false;
  #doubtedAt = -Infinity;
  #timer: NodeJS.Timeout | null = null;
  readonly #watch: NodeJS.Timeout;
  readonly #circuit = circuitBreaker(handleAll, { halfOpenAfter: PROBE_MS, breaker: new ConsecutiveBreaker(1) });

  constructor(private readonly options: ShardBreakerOptions) {
    this.#watch = setInterval(() => {
      if (!this.isOpen && options.isSilent()) this.doubt();
    }, WATCH_MS).unref();
  }

  get state(): CircuitName {
    if (!this.isOpen) return 'closed';
    return this.#circuit.state === CircuitState.HalfOpen ? 'half-open' : 'open';
  }

  /** Something has failed as it does when the server is gone. */
  doubt(): void {
    const now = performance.now();
    if (this.isOpen || this.#probing || now - this.#doubtedAt < DOUBT_MS) return;
    this.#doubtedAt = now;
    void this.#probe();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #probe(): Promise<void> {
    if (this.#closed || this.#probing) return;
    this.#probing = true;
    try {
      await this.#circuit.execute(this.options.probe);
      this.#set(null);
    } catch (error) {
      if (!isBrokenCircuitError(error)) this.#set(error instanceof Error ? error.message : String(error));
      this.#probeLater();
    } finally {
      this.#probing = false;
    }
  }

  #set(reason: string | null): void {
    if (this.#closed) return;
    const changed = this.isOpen !== (reason !== null);
    this.reason = reason;
    this.isOpen = reason !== null;
    if (changed) this.options.onChange?.(reason);
  }

  #probeLater(): void {
    if (this.#closed) return;
    // A little more than the circuit's own time, or it would refuse the probe.
    this.#timer = setTimeout(() => void this.#probe(), PROBE_MS + 5).unref();
  }
}
