import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Linux's account of the main thread: time on a processor and time in line for one, ns. */
const ACCOUNT = '/proc/self/schedstat';
/** The account is looked at after so much time, ms. */
const EVERY_MS = 4;
/** Whoever stands in line for more than this share of its running time has company. */
const IN_LINE = 0.1;
/** Left to the others per time on a processor. */
const PAUSE = 2;
/** Longest pause in one piece, and of all together, ms. */
const LONGEST_MS = 40;
const ALTOGETHER_MS = 4_000;

export interface ProcessorTime {
  ranMs: number;
  waitedMs: number;
}

/**
 * For a process that is in no hurry beside others that serve: while the processors are all taken, it uses only a part of
 * what it could have of them. Where the system keeps no such account (not Linux) it never pauses.
 */
export class GiveWay {
  #last: ProcessorTime | null;
  #lookedAt: number;
  #leftMs = ALTOGETHER_MS;
  #sleeper: Int32Array<SharedArrayBuffer> | null = null;

  constructor(
    private readonly account: () => ProcessorTime | null = mainThread,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#last = account();
    this.#lookedAt = now();
  }

  /** For how long the processor should be left to others, ms. Cheap: meant for inner loops. */
  due(): number {
    const now = this.now();
    if (this.#last === null || this.#leftMs <= 0 || now - this.#lookedAt < EVERY_MS) return 0;
    this.#lookedAt = now;
    const account = this.account();
    if (account === null) return 0;
    const ran = account.ranMs - this.#last.ranMs;
    const waited = account.waitedMs - this.#last.waitedMs;
    this.#last = account;
    if (waited <= ran * IN_LINE) return 0;
    const ms = Math.min(ran * PAUSE, LONGEST_MS, this.#leftMs);
    this.#leftMs -= ms;
    return ms;
  }

  async pause(): Promise<void> {
    const ms = this.due();
    if (ms > 0) await delay(ms);
  }

  /** Blocks the thread: for what cannot wait, as the loading of modules. */
  pauseNow(): void {
    const ms = this.due();
    if (ms > 0) Atomics.wait((this.#sleeper ??= new Int32Array(new SharedArrayBuffer(4))), 0, 0, ms);
  }
}

function mainThread(): ProcessorTime | null {
  try {
    const [ran = 0, waited = 0] = readFileSync(ACCOUNT, 'utf8').split(' ').map(Number);
    return { ranMs: ran / 1e6, waitedMs: waited / 1e6 };
  } catch {
    return null;
  }
}
