import type { Remedy, RemedyOutcome } from '../../ipc/remedies';
import type { Clock } from '../../clock';

/** Remedies that one incarnation was asked for and has not answered yet. */
export class RemedyDesk {
  readonly #open = new Map<number, (outcome: RemedyOutcome) => void>();
  #nextId = 1;

  constructor(private readonly clock: Clock) {}

  /** Never rejects: no answer within `timeoutMs` is an outcome, too. */
  ask(send: (id: number) => void, { kind }: Remedy, timeoutMs: number): Promise<RemedyOutcome> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      const settle = (outcome: RemedyOutcome): void => {
        cancel();
        this.#open.delete(id);
        resolve(outcome);
      };
      const cancel = this.clock.after(timeoutMs, () =>
        settle({ ok: false, text: `no answer to ${kind} within ${timeoutMs / 1_000} s` }),
      );
      this.#open.set(id, settle);
      send(id);
    });
  }

  answered(id: number, outcome: RemedyOutcome): void {
    this.#open.get(id)?.(outcome);
  }

  /** The process is gone. */
  release(): void {
    for (const settle of [...this.#open.values()]) settle({ ok: false, text: 'the process ended' });
  }
}
