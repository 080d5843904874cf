import type { HandoffReport } from '../../ipc/messages';
import type { Clock } from '../../clock';
import type { Incarnation } from '../cluster/incarnation';

/** One process of a handoff. */
export class Party {
  readonly reports: HandoffReport[] = [];
  /** Why it has ended; null while it lives. */
  end: string | null = null;

  constructor(readonly incarnation: Incarnation) {}

  said<S extends HandoffReport['step']>(step: S): Extract<HandoffReport, { step: S }> | undefined {
    return this.reports.find((report): report is Extract<HandoffReport, { step: S }> => report.step === step);
  }
}

/** What the processes of a handoff say, and whether they have ended; lets its leader wait for a condition on that. */
export class Watch {
  readonly #parties: Party[] = [];
  #look: () => void = () => undefined;

  constructor(private readonly clock: Clock) {}

  add(incarnation: Incarnation): Party {
    const party = new Party(incarnation);
    this.#parties.push(party);
    incarnation.onHandoff = (report) => {
      party.reports.push(report);
      this.#look();
    };
    void incarnation.process.exited.then((exit) => {
      party.end = incarnation.endReason(exit);
      this.#look();
    });
    return party;
  }

  /** Something else has changed that a condition looks at. */
  readonly look = (): void => this.#look();

  /** True when the condition came to hold in time. One at a time. Rejects with what the condition throws. */
  async within(ms: number, condition: () => boolean): Promise<boolean> {
    return await new Promise<boolean>((resolve, reject) => {
      const end = (act: () => void): void => {
        cancel();
        this.#look = () => undefined;
        act();
      };
      const cancel = this.clock.after(ms, () => end(() => resolve(false)));
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

  close(): void {
    for (const { incarnation } of this.#parties) incarnation.onHandoff = null;
  }
}
