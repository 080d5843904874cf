import type { Clock } from '../../clock';
import type { Lane } from './lane';

/** Entries of one shard that are executed at the same time. */
const CONCURRENCY = 8;
/** A probe that takes longer may wait for something of its own, such as a lock: another one is begun beside it. */
const PROBE_MS = 1_000;
const FIRST_WAIT_MS = 50;
/** With the jitter replay begins well within 2 s of the server's return. */
const MAX_WAIT_MS = 1_500;

/** Grows with each failure up to a bound; between half and all of it, so that processes do not knock together. ms */
export function backoffMs(failures: number, random: () => number, maxMs = MAX_WAIT_MS): number {
  return Math.min(maxMs, FIRST_WAIT_MS * 2 ** Math.min(failures, 10)) * (0.5 + random() / 2);
}

/** The guilds of one database shard that wait for replay, and whether the shard answers. */
export class ShardQueue {
  readonly ready = new Set<Lane>();
  #running = 0;
  /** Of those, the ones that were begun to see whether a failed shard answers. */
  #probes = 0;
  #failures = 0;
  #cancelWait: (() => void) | null = null;

  constructor(
    readonly shard: number,
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly onWaited: () => void,
  ) {}

  /** It failed and nothing has succeeded since: only one entry at a time is tried. */
  get down(): boolean {
    return this.#failures > 0;
  }

  get waiting(): boolean {
    return this.#cancelWait !== null;
  }

  /** What hangs since before the shard failed must not keep a probe from being begun. */
  get free(): boolean {
    if (this.waiting) return false;
    return this.down ? this.#probes === 0 && this.#running < 2 * CONCURRENCY : this.#running < CONCURRENCY;
  }

  /** Down, and somebody is about to find out whether it still is. */
  get knownDown(): boolean {
    return this.down && (this.ready.size > 0 || this.#probes > 0);
  }

  /** An execution begins; to be called when it is over. */
  begin(): () => void {
    this.#running += 1;
    const endProbe = this.down ? this.#beginProbe() : null;
    return () => {
      this.#running -= 1;
      endProbe?.();
    };
  }

  /** True when it was not down before. Failures during a wait belong to the one that began it. */
  fail(): boolean {
    const first = !this.down;
    if (this.waiting) return false;
    this.#failures += 1;
    this.#cancelWait = this.clock.after(backoffMs(this.#failures, this.random), () => {
      this.#cancelWait = null;
      this.onWaited();
    });
    return first;
  }

  /** It answered. True when it was down. */
  succeed(): boolean {
    const wasDown = this.down;
    this.#failures = 0;
    this.endWait();
    return wasDown;
  }

  /** Tries at once what was to be tried later. */
  endWait(): void {
    this.#cancelWait?.();
    this.#cancelWait = null;
  }

  #beginProbe(): () => void {
    this.#probes += 1;
    let over = false;
    const end = (): void => {
      if (!over) this.#probes -= 1;
      over = true;
      cancel();
    };
    const cancel = this.clock.after(PROBE_MS, () => {
      end();
      this.onWaited();
    });
    return end;
  }
}
