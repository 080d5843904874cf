import type { Clock } from '../../clock';

export interface HangDetectorOptions {
  clock: Clock;
  /** An event loop that is silent for so long is hung, ms. */
  timeoutMs: number;
  ping: (id: number) => void;
  onHung: (silentMs: number) => void;
}

const BEATS_PER_TIMEOUT = 6;
const MIN_BEAT_MS = 100;

/**
 * Asks a cluster for a sign of life and tells when it has been silent too long. Counts only time in which we ourselves
 * were awake: after a suspended machine or a stopped supervisor, nobody is blamed for our own silence.
 */
export class HangDetector {
  #silentMs = 0;
  #lastBeat: number;
  #nextId = 1;
  #cancel: () => void;

  constructor(private readonly options: HangDetectorOptions) {
    this.#lastBeat = options.clock.now();
    this.#cancel = options.clock.after(this.#beatMs, () => this.#beat());
  }

  /** Any frame from the cluster's main thread. */
  alive(): void {
    this.#silentMs = 0;
  }

  stop(): void {
    this.#cancel();
  }

  get #beatMs(): number {
    return Math.max(MIN_BEAT_MS, this.options.timeoutMs / BEATS_PER_TIMEOUT);
  }

  #beat(): void {
    const now = this.options.clock.now();
    this.#silentMs += Math.min(now - this.#lastBeat, this.#beatMs);
    this.#lastBeat = now;
    this.#cancel = this.options.clock.after(this.#beatMs, () => this.#beat());
    if (this.#silentMs >= this.options.timeoutMs) {
      this.#cancel();
      this.options.onHung(this.#silentMs);
      return;
    }
    this.options.ping(this.#nextId++);
  }
}
