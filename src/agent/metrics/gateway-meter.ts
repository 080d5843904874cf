import type { Counter } from './instruments';
import type { Meter } from './meter';
import type { ResponseMeter } from './response-meter';

/** What of a dispatch is looked at. */
export interface Dispatch {
  t: string;
  d: unknown;
}

interface Identified {
  id: string;
}

/** Counts the events of the gateway. Runs for each of them, before the bot sees it. */
export class GatewayMeter {
  readonly #types = new Map<string, Counter>();
  readonly #messages: Counter;

  constructor(
    private readonly meter: Meter,
    private readonly responses: ResponseMeter,
  ) {
    this.#messages = meter.counter('messages_total');
  }

  dispatch({ t, d }: Dispatch): void {
    let counter = this.#types.get(t);
    if (counter === undefined) {
      counter = this.meter.counter('events_total', { type: t });
      this.#types.set(t, counter);
    }
    counter.add();
    if (t === 'INTERACTION_CREATE') {
      this.responses.interaction(d as Identified & { type: number });
    } else if (t === 'MESSAGE_CREATE') {
      this.#messages.add();
      this.responses.message(d as Identified);
    }
  }
}
