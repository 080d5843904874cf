import type { Clock } from '../../clock';
import type { Incarnation } from '../cluster/incarnation';
import type { HandoffSettings, Served } from './handoff';
import type { HandoffStep } from './replace';
import { Watch, type Party } from './watch';

export interface Giver {
  incarnation: Incarnation;
  shardIds: readonly number[];
}

export interface Taker {
  incarnation: Incarnation;
  shardIds: readonly number[];
  /** It listens there. */
  socketPath: string;
}

export interface RegroupOptions {
  givers: readonly Giver[];
  takers: readonly Taker[];
  settings: HandoffSettings;
  /** The takers have shards out of this number, those of the givers are out of another one; null: the same. */
  reshard: number | null;
  clock: Clock;
  onStep: (step: HandoffStep) => void;
  /** Right before the cut, after which there is no way back. @throws Error: then nothing is cut */
  onCut: () => void;
}

export type RegroupResult =
  /**
   * `served`: by taker; null: it failed after the cut, and its shards are left to the process after it. `uncut`: indexes of
   * the givers that have not come to the cut, since a taker was dead: they have to be stopped.
   */
  | { ok: true; served: (Served | null)[]; uncut: number[] }
  /** All goes on as before. `restart`: a stop and a start would do what the handoff could not. */
  | { ok: false; reason: string; restart: boolean };

class RegroupFailed extends Error {
  constructor(
    reason: string,
    readonly restart = false,
  ) {
    super(reason);
  }
}

/** A giver knows so long, ms, after the end of a taker what becomes of itself, beside its drain time. */
const SETTLE_MS = 15_000;
/** A failed process is killed; that takes no longer, ms. */
const KILL_TIMEOUT_MS = 5_000;

/**
 * Leads the processes of several clusters through a handoff to others that group their shards anew. As in a handoff of one,
 * a failure before the cut leaves all as it was. After it there is only forward: what a taker that fails should have had, its
 * givers save for the process in its place.
 */
export class Regroup {
  readonly #watch: Watch;
  readonly #givers: readonly Party[];
  readonly #takers: readonly Party[];

  constructor(private readonly options: RegroupOptions) {
    this.#watch = new Watch(options.clock);
    this.#givers = options.givers.map(({ incarnation }) => this.#watch.add(incarnation));
    this.#takers = options.takers.map(({ incarnation }) => this.#watch.add(incarnation));
  }

  /** Never rejects. Takers that have failed are gone when it resolves. */
  async run(signal: AbortSignal): Promise<RegroupResult> {
    signal.addEventListener('abort', this.#watch.look);
    try {
      try {
        await this.#prepare(signal);
        this.options.onCut();
      } catch (error) {
        await this.#end(this.#takers);
        return { ok: false, reason: (error as Error).message, restart: (error as RegroupFailed).restart };
      }
      const served = await this.#cut();
      const uncut = served.includes(null) ? await this.#findUncut() : [];
      const failed = this.#takers.find((taker) => taker.said('serving') === undefined);
      // All failed before the first giver came to the cut: nothing has happened.
      if (served.every((one) => one === null) && uncut.length === this.#givers.length) {
        return { ok: false, reason: `a successor ended (${failed?.end ?? 'unknown'})`, restart: false };
      }
      return { ok: true, served, uncut };
    } finally {
      signal.removeEventListener('abort', this.#watch.look);
      this.#watch.close();
    }
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const { givers, takers, settings, reshard, onStep } = this.options;
    const { bootTimeoutMs, copyTimeoutMs, connectTimeoutMs, messagesPerChannel, drainMs } = settings;
    const until = async (step: 'waiting' | 'copied' | 'level', ms: number, late: string): Promise<void> => {
      const done = await this.#watch.within(ms, () => {
        this.#throwIfFailed(signal);
        return this.#takers.every((taker) => taker.said(step) !== undefined);
      });
      if (!done) throw new RegroupFailed(`${late} within ${Math.round(ms / 1_000)} s`);
    };
    onStep('booting');
    await until('waiting', bootTimeoutMs, 'a successor did not call client.login()');
    onStep('copying');
    for (const { incarnation, shardIds } of givers) {
      const heirs = takers.flatMap((taker) => {
        const shared = taker.shardIds.filter((id) => reshard !== null || shardIds.includes(id));
        return shared.length === 0 ? [] : [{ socketPath: taker.socketPath, shardIds: shared, isSole: false }];
      });
      incarnation.send({
        ...{ t: 'hand-over', heirs, messagesPerChannel, drainMs },
        ...(reshard !== null && { reshard }),
      });
    }
    await until('copied', copyTimeoutMs, 'the caches were not copied');
    onStep('connecting');
    await until('level', connectTimeoutMs, 'a successor did not connect');
  }

  async #cut(): Promise<(Served | null)[]> {
    const { cutTimeoutMs } = this.options.settings;
    this.options.onStep('cutting');
    for (const { incarnation } of this.#givers) incarnation.ceding = true;
    for (const { incarnation } of this.#takers) incarnation.send({ t: 'take-over' });
    const settled = (step: 'taken' | 'serving') => (): boolean => {
      return this.#takers.every((taker) => taker.said(step) !== undefined || hasFailed(taker));
    };
    await this.#watch.within(cutTimeoutMs, settled('taken'));
    this.options.onStep('resuming');
    await this.#watch.within(cutTimeoutMs, settled('serving'));
    await this.#end(this.#takers.filter((taker) => taker.said('serving') === undefined));
    return this.#takers.map((taker) => taker.said('serving') ?? null);
  }

  /** Givers that go on serving. */
  async #findUncut(): Promise<number[]> {
    const isUncut = (giver: Party): boolean => {
      return giver.end === null && (giver.said('failed') ?? giver.said('rolled-back')) !== undefined;
    };
    const settleMs = this.options.settings.drainMs + SETTLE_MS;
    await this.#watch.within(settleMs, () => {
      return this.#givers.every((giver) => isUncut(giver) || giver.end !== null || giver.said('retired') !== undefined);
    });
    for (const giver of this.#givers) if (isUncut(giver)) giver.incarnation.ceding = false;
    return this.#givers.flatMap((giver, at) => (isUncut(giver) ? [at] : []));
  }

  #throwIfFailed(signal: AbortSignal): void {
    for (const { reports } of [...this.#givers, ...this.#takers]) {
      const failed = reports.find((report) => report.step === 'failed');
      if (failed?.step === 'failed') throw new RegroupFailed(failed.reason, failed.restart);
    }
    for (const { end } of this.#takers) if (end !== null) throw new RegroupFailed(`a successor ended (${end})`);
    for (const { end } of this.#givers) if (end !== null) throw new RegroupFailed(`an old process ended (${end})`);
    if (signal.aborted) throw new RegroupFailed('it was given up');
  }

  async #end(parties: readonly Party[]): Promise<void> {
    for (const { incarnation } of parties) incarnation.process.kill('SIGKILL');
    await this.#watch.within(KILL_TIMEOUT_MS, () => parties.every(({ end }) => end !== null));
  }
}

function hasFailed(party: Party): boolean {
  return party.end !== null || party.said('failed') !== undefined;
}
