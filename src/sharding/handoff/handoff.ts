import type { HandoffReport } from '../../ipc/messages';
import type { Clock } from '../../clock';
import type { Incarnation } from '../cluster/incarnation';
import type { HandoffStep } from './replace';
import { Watch, type Party } from './watch';

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
  /** Resolves when it may go on to the cut. @throws the signal's reason */
  turn: (signal: AbortSignal) => Promise<void>;
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
  readonly #watch: Watch;
  readonly #old: Party;
  readonly #new: Party;
  #isCutting = false;

  constructor(private readonly options: HandoffOptions) {
    this.#watch = new Watch(options.clock);
    this.#old = this.#watch.add(options.predecessor);
    this.#new = this.#watch.add(options.successor);
  }

  /** The sessions are on their way: whether the predecessor still has them, only the end of the handoff tells. */
  get isCutting(): boolean {
    return this.#isCutting;
  }

  /** Never rejects. After a failure the successor's process is gone. */
  async run(signal: AbortSignal): Promise<HandoffResult> {
    signal.addEventListener('abort', this.#watch.look);
    try {
      return { ok: true, served: await this.#lead(signal) };
    } catch (error) {
      const { restart } = error as HandoffFailed;
      const reason = (error as Error).message;
      this.options.successor.process.kill('SIGKILL');
      await this.#watch.within(KILL_TIMEOUT_MS, () => this.#new.end !== null);
      if (this.#isCutting) await this.#watch.within(ROLL_BACK_TIMEOUT_MS, () => this.#isOldSettled());
      return { ok: false, reason, restart: restart && this.#old.end === null };
    } finally {
      signal.removeEventListener('abort', this.#watch.look);
      this.#watch.close();
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
    await this.#untilTurn(signal);
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

  /** What fails meanwhile is seen then. */
  async #untilTurn(signal: AbortSignal): Promise<void> {
    await this.options.turn(signal).catch(() => {
      throw new HandoffFailed('it was given up');
    });
  }

  async #until<S extends HandoffReport['step']>(
    step: S,
    timeoutMs: number,
    late: string,
    signal?: AbortSignal,
  ): Promise<Extract<HandoffReport, { step: S }>> {
    const settled = await this.#watch.within(timeoutMs, () => {
      if (this.#new.said(step) !== undefined) return true;
      this.#throwIfFailed();
      if (signal?.aborted === true) throw new HandoffFailed('it was given up');
      return false;
    });
    if (!settled) throw new HandoffFailed(`${late} within ${Math.round(timeoutMs / 1_000)} s`);
    return this.#new.said(step) as Extract<HandoffReport, { step: S }>;
  }

  #throwIfFailed(): void {
    for (const report of [...this.#old.reports, ...this.#new.reports]) {
      if (report.step === 'failed') throw new HandoffFailed(report.reason, report.restart);
      if (report.step === 'rolled-back') throw new HandoffFailed(report.reason);
    }
    if (this.#new.end !== null) throw new HandoffFailed(`the successor ended (${this.#new.end})`);
    // From the cut on the successor may have all it needs.
    if (this.#old.end !== null && !this.#isCutting) throw new HandoffFailed(`the old process ended (${this.#old.end})`);
  }

  #isOldSettled(): boolean {
    const settled = this.#old.reports.some(({ step }) => step === 'rolled-back' || step === 'failed');
    return settled || this.#old.end !== null;
  }
}
