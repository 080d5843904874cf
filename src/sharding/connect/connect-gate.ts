import { backoffDelay } from '../backoff';
import type { Clock } from '../../clock';

/** Durations in ms. */
export interface ConnectGateOptions {
  clock: Clock;
  backoffMinMs: number;
  backoffMaxMs: number;
  /** So many failures in a row, over all shards, and everybody backs off together. */
  failureThreshold: number;
  random?: () => number;
  onChange?: (view: ConnectGateView) => void;
  /** How an attempt went; `reason` null: it got its HELLO. */
  onAttempt?: (key: string, reason: string | null) => void;
}

export interface ConnectGateView {
  gate: 'passing' | 'backing-off' | 'probing';
  /** When the next attempt is due, ms since the epoch. */
  retryAt: number | null;
  reason: string | null;
}

interface Waiting {
  key: string;
  /** Resumes go first: their replay window is short, and they cost nothing of the identify limit. */
  urgent: boolean;
  resolve: () => void;
}

const JITTER = 0.3;
/** Connections that may be under way at once in good weather; doubles with each success, as TCP's slow start does. */
const INITIAL_WINDOW = 64;
const MAX_WINDOW = 1_024;
/** While Discord is known to be out, so many failures in a row close the gate again. */
const CAUTIOUS_THRESHOLD = 2;
/** An attempt that is never reported is forgotten after this time, or the gate would leak its places. */
const ATTEMPT_TTL_MS = 90_000;

/**
 * Every connection to the gateway passes here. While connections work it costs one message. When several in a row fail,
 * all shards wait together with growing, jittered delays; then one of them probes, and the others follow in growing
 * numbers, so that neither an outage nor its end becomes a stampede.
 */
export class ConnectGate {
  #waiting: Waiting[] = [];
  #underway = new Map<string, () => void>();
  #window = INITIAL_WINDOW;
  #failures = 0;
  #attempt = 0;
  #view: ConnectGateView = { gate: 'passing', retryAt: null, reason: null };
  #cautious = false;
  #cancelBackOff: () => void = () => undefined;

  constructor(private readonly options: ConnectGateOptions) {}

  get view(): ConnectGateView {
    return this.#view;
  }

  /** Resolves when the connection may be opened. `key` names the attempt (incarnation and shard). */
  pass(key: string, urgent: boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const reason = (): Error => (signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      if (signal.aborted) return reject(reason());
      const entry: Waiting = {
        key,
        urgent,
        resolve: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(reason());
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(entry);
      this.#pump();
    });
  }

  /**
   * Discord is known to be out: one success does not mean that it is back. The delays go on growing from where they were,
   * and few failures close the gate again.
   */
  caution(on: boolean): void {
    this.#cautious = on;
    if (!on) this.#attempt = 0;
  }

  /** Tries at once, whatever the delay. */
  probeNow(): void {
    if (this.#view.gate !== 'backing-off') return;
    this.#cancelBackOff();
    this.#set({ gate: 'probing', retryAt: null, reason: this.#view.reason });
    this.#pump();
  }

  /** The attempt got its HELLO. */
  succeeded(key: string): void {
    this.#finish(key);
    this.options.onAttempt?.(key, null);
    this.#failures = 0;
    if (!this.#cautious) this.#attempt = 0;
    if (this.#view.gate !== 'passing') {
      this.#window = 1;
      this.#set({ gate: 'passing', retryAt: null, reason: null });
    }
    this.#window = Math.min(MAX_WINDOW, this.#window * 2);
    this.#pump();
  }

  /** The attempt was refused or closed before HELLO. */
  failed(key: string, reason: string): void {
    this.#finish(key);
    this.options.onAttempt?.(key, reason);
    this.#failures++;
    this.#window = Math.max(1, Math.floor(this.#window / 2));
    const threshold = this.#cautious ? CAUTIOUS_THRESHOLD : this.options.failureThreshold;
    const trips = this.#view.gate === 'probing' || this.#failures >= threshold;
    if (trips && this.#view.gate !== 'backing-off') this.#backOff(reason);
    this.#pump();
  }

  /** The attempt ended without telling anything about the gateway (its process died, its client was destroyed). */
  abandoned(key: string): void {
    this.#finish(key);
    this.#pump();
  }

  /** All attempts of an incarnation. */
  release(holder: string): void {
    for (const key of [...this.#underway.keys()]) if (key.startsWith(`${holder}/`)) this.abandoned(key);
  }

  #finish(key: string): void {
    this.#underway.get(key)?.();
    this.#underway.delete(key);
  }

  #backOff(reason: string): void {
    const { clock, backoffMinMs, backoffMaxMs, random } = this.options;
    const delay = backoffDelay(this.#attempt++, {
      minMs: backoffMinMs,
      maxMs: backoffMaxMs,
      jitter: JITTER,
      ...(random && { random }),
    });
    this.#set({ gate: 'backing-off', retryAt: clock.now() + delay, reason });
    this.#cancelBackOff = clock.after(delay, () => {
      this.#set({ gate: 'probing', retryAt: null, reason });
      this.#pump();
    });
  }

  #set(view: ConnectGateView): void {
    this.#view = view;
    this.options.onChange?.(view);
  }

  #pump(): void {
    const { gate } = this.#view;
    if (gate === 'backing-off') return;
    const limit = gate === 'probing' ? 1 : this.#window;
    while (this.#underway.size < limit) {
      const urgent = this.#waiting.findIndex((entry) => entry.urgent);
      const [next] = this.#waiting.splice(urgent === -1 ? 0 : urgent, 1);
      if (next === undefined) return;
      this.#finish(next.key);
      this.#underway.set(
        next.key,
        this.options.clock.after(ATTEMPT_TTL_MS, () => this.abandoned(next.key)),
      );
      next.resolve();
    }
  }
}
