import type { HandoffReport } from '../../ipc/messages';
import type { Clock } from '../clock';
import type { Incarnation } from '../incarnation';
import type { HandoffStep } from './replace';

/** Durations in ms. */
export interface HandoffSettings {
  /** Messages copied of each channel's cache. */
  messagesPerChannel: number;
  /** From its start until the successor waits in `login()`. */
  bootTimeoutMs: number;
  /** Until the caches are copied. */
  copyTimeoutMs: number;
  /** Until all connections of the successor have had HELLO and it is level. */
  connectTimeoutMs: number;
  /** From the cut until Discord has answered the successor. Longer than the predecessor waits before it rolls back. */
  cutTimeoutMs: number;
  /** Running handlers, REST calls and stop handlers of the predecessor may finish within this time. */
  drainMs: number;
}

export type Served = Extract<HandoffReport, { step: 'serving' }>;

export type HandoffResult =
  | { ok: true; served: Served }
  /** `restart`: a stop and a start would do what the handoff could not. */
  | { ok: false; reason: string; restart: boolean };

export interface HandoffOptions {
  predecessor: Incarnation;
  successor: Incarnation;
  socketPath: string;
  shardIds: readonly number[];
  settings: HandoffSettings;
  clock: Clock;
  onStep: (step: HandoffStep) => void;
}

class HandoffFailed extends Error {
  constructor(
    reason: string,
    readonly restart = false,
  ) {
    super(reason);
  }
}

/** A failed successor is killed; that takes no longer, ms. */
const KILL_TIMEOUT_MS = 5_000;
/** After the end of its successor, the predecessor takes its sessions back within this time, ms. */
const ROLL_BACK_TIMEOUT_MS = 15_000;

/**
 * Leads two processes of one cluster through a handoff. Before the cut a failure of either ends it, and the successor is
 * killed; from the cut on the two settle it by themselves, so that it also comes to its end when this supervisor dies.
 */
export class Handoff {
  #isCutting = false;
  #look: () => void = () => undefined;
  readonly #reports = { old: [] as HandoffReport[], new: [] as HandoffReport[] };
  readonly #ends: { old: string | null; new: string | null } = { old: null, new: null };

  constructor(private readonly options: HandoffOptions) {
    for (const [side, incarnation] of [
      ['old', options.predecessor],
      ['new', options.successor],
    ] as const) {
      incarnation.onHandoff = (report) => {
        this.#reports[side].push(report);
        this.#look();
      };
      void incarnation.process.exited.then((exit) => {
        this.#ends[side] = incarnation.endReason(exit);
        this.#look();
      });
    }
  }

  /** The sessions are on their way: whether the predecessor still has them, only the end of the handoff tells. */
  get isCutting(): boolean {
    return this.#isCutting;
  }

  /** Never rejects. After a failure the successor's process is gone. */
  async run(signal: AbortSignal): Promise<HandoffResult> {
    const { successor, predecessor } = this.options;
    const onAbort = (): void => this.#look();
    signal.addEventListener('abort', onAbort);
    try {
      return { ok: true, served: await this.#lead(signal) };
    } catch (error) {
      const { restart } = error as HandoffFailed;
      const reason = (error as Error).message;
      successor.process.kill('SIGKILL');
      await this.#within(KILL_TIMEOUT_MS, () => this.#ends.new !== null);
      if (this.#isCutting) await this.#within(ROLL_BACK_TIMEOUT_MS, () => this.#isOldSettled());
      return { ok: false, reason, restart: restart && this.#ends.old === null };
    } finally {
      signal.removeEventListener('abort', onAbort);
      predecessor.onHandoff = null;
      successor.onHandoff = null;
    }
  }

  async #lead(signal: AbortSignal): Promise<Served> {
    const { predecessor, successor, settings, socketPath, shardIds, onStep } = this.options;
    const { messagesPerChannel, drainMs } = settings;
    onStep('booting');
    await this.#until('waiting', settings.bootTimeoutMs, 'the successor did not call client.login()', signal);
    onStep('copying');
    const heirs = [{ socketPath, shardIds: [...shardIds], isSole: true }];
    predecessor.send({ t: 'hand-over', heirs, messagesPerChannel, drainMs });
    await this.#until('copied', settings.copyTimeoutMs, 'the caches were not copied', signal);
    onStep('connecting');
    await this.#until('level', settings.connectTimeoutMs, 'the successor did not connect', signal);
    onStep('cutting');
    this.#isCutting = true;
    predecessor.ceding = true;
    successor.send({ t: 'take-over' });
    await this.#until('taken', settings.cutTimeoutMs, 'the sessions did not go over');
    onStep('resuming');
    return await this.#until('serving', settings.cutTimeoutMs, 'Discord did not answer the successor');
  }

  async #until<S extends HandoffReport['step']>(
    step: S,
    timeoutMs: number,
    late: string,
    signal?: AbortSignal,
  ): Promise<Extract<HandoffReport, { step: S }>> {
    const found = (): HandoffReport | undefined => this.#reports.new.find((report) => report.step === step);
    const settled = await this.#within(timeoutMs, () => {
      if (found() !== undefined) return true;
      this.#throwIfFailed();
      if (signal?.aborted === true) throw new HandoffFailed('it was given up');
      return false;
    });
    if (!settled) throw new HandoffFailed(`${late} within ${Math.round(timeoutMs / 1_000)} s`);
    return found() as Extract<HandoffReport, { step: S }>;
  }

  #throwIfFailed(): void {
    for (const report of [...this.#reports.old, ...this.#reports.new]) {
      if (report.step === 'failed') throw new HandoffFailed(report.reason, report.restart);
      if (report.step === 'rolled-back') throw new HandoffFailed(report.reason);
    }
    if (this.#ends.new !== null) throw new HandoffFailed(`the successor ended (${this.#ends.new})`);
    // From the cut on the successor may have all it needs.
    if (this.#ends.old !== null && !this.#isCutting)
      throw new HandoffFailed(`the old process ended (${this.#ends.old})`);
  }

  #isOldSettled(): boolean {
    const settled = this.#reports.old.some(({ step }) => step === 'rolled-back' || step === 'failed');
    return settled || this.#ends.old !== null;
  }

  /** True when the condition came to hold in time. Rejects with what it throws. */
  async #within(ms: number, condition: () => boolean): Promise<boolean> {
    return await new Promise<boolean>((resolve, reject) => {
      const end = (act: () => void): void => {
        cancel();
        this.#look = () => undefined;
        act();
      };
      const cancel = this.options.clock.after(ms, () => end(() => resolve(false)));
      this.#look = () => {
        try {
          if (condition()) end(() => resolve(true));
        } catch (error) {
          const failure = error instanceof Error ? error : new Error(String(error));
          end(() => reject(failure));
        }
      };
      this.#look();
    });
  }
}
