import type { Clock } from '../../clock';
import type { Notice } from './notice';
import type { Notifier, SendError } from './notifier';

export interface LaneOptions {
  notifier: Notifier;
  clock: Clock;
  /** What is to be told at this moment; asked again before each message. */
  due: () => Notice[];
  /** It was taken. */
  onSent: (notices: readonly Notice[]) => void;
  /** It was not taken, and will not be. */
  onRefused: (notices: readonly Notice[], reason: string) => void;
  onError: (reason: string, retryInMs: number | null) => void;
  /** Notices of so short a time go together, ms. */
  groupMs: number;
  /** Messages in a minute. */
  perMinute: number;
  timeoutMs: number;
  random?: () => number;
}

export interface LaneView {
  name: string;
  /** failing: the last message was not taken; idle: there was none yet. */
  state: 'idle' | 'ok' | 'failing';
  lastSentAt: number | null;
  lastError: string | null;
  retryAt: number | null;
}

const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 5 * 60_000;
const MINUTE_MS = 60_000;

/** The way to one target: one message at a time, grouped, not too many, tried again. It never holds up anybody else. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #sent: number[] = [];
  #failures = 0;
  #timer: (() => void) | null = null;
  #working: Promise<void> | null = null;
  #asked = false;
  #stopped = false;
  readonly #abort = new AbortController();
  #view: LaneView;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#view = { name: options.notifier.name, state: 'idle', lastSentAt: null, lastError: null, retryAt: null };
  }

  get view(): LaneView {
    return this.#view;
  }

  /** Something may have to be told. */
  wake(): void {
    if (this.#stopped) return;
    this.#asked = true;
    if (this.#working === null && this.#timer === null) this.#after(this.#options.groupMs);
  }

  /** What is due is sent at once, as far as the time allows. */
  async stop(graceMs: number): Promise<void> {
    this.#timer?.();
    this.#timer = null;
    if (this.#asked && this.#failures === 0 && this.#working === null) this.#begin();
    this.#stopped = true;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(graceMs, () => {
        this.#abort.abort();
        resolve();
      });
      void Promise.resolve(this.#working).then(() => {
        cancel();
        resolve();
      });
    });
  }

  #after(ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(ms, () => {
      this.#timer = null;
      this.#begin();
    });
  }

  #begin(): void {
    this.#asked = false;
    this.#working = this.#work().finally(() => {
      this.#working = null;
      if (this.#asked && this.#timer === null) this.#after(this.#options.groupMs);
    });
  }

  async #work(): Promise<void> {
    const { notifier, due } = this.#options;
    for (;;) {
      const waitMs = this.#untilAllowed();
      if (waitMs > 0) {
        this.#after(waitMs);
        return;
      }
      const notices = due().slice(0, notifier.most);
      if (notices.length === 0 || !(await this.#send(notices)) || this.#stopped) return;
    }
  }

  /** @returns was it settled, one way or the other? */
  async #send(notices: readonly Notice[]): Promise<boolean> {
    const { notifier, clock, timeoutMs, onSent, onRefused, onError } = this.#options;
    const late = new AbortController();
    const cancel = clock.after(timeoutMs, () => late.abort());
    this.#sent.push(clock.now());
    try {
      await notifier.send(notices, AbortSignal.any([this.#abort.signal, late.signal]));
      this.#failures = 0;
      this.#view = { ...this.#view, state: 'ok', lastSentAt: clock.now(), lastError: null, retryAt: null };
      onSent(notices);
      return true;
    } catch (error) {
      const { message, retry = true, retryAfterMs = null } = error as Partial<SendError>;
      const reason = message ?? 'failed';
      const delayMs = retry ? (retryAfterMs ?? this.#backoff()) : null;
      const retryAt = delayMs === null ? null : clock.now() + delayMs;
      this.#view = { ...this.#view, state: 'failing', lastError: reason, retryAt };
      onError(reason, delayMs);
      if (delayMs === null) {
        onRefused(notices, reason);
        return true;
      }
      this.#failures++;
      this.#after(delayMs);
      return false;
    } finally {
      cancel();
    }
  }

  #untilAllowed(): number {
    const { clock, perMinute } = this.#options;
    const now = clock.now();
    while (this.#sent.length > 0 && now - (this.#sent[0] ?? 0) >= MINUTE_MS) this.#sent.shift();
    return this.#sent.length < perMinute ? 0 : (this.#sent[0] ?? now) + MINUTE_MS - now;
  }

  #backoff(): number {
    const random = this.#options.random ?? Math.random;
    const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(this.#failures, 20));
    return full * (0.5 + random() / 2);
  }
}
