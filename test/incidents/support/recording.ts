import { createRules, metricFigures } from '../../../src/incidents';
import { IncidentBook } from '../../../src/incidents/book';
import { Detector } from '../../../src/incidents/detector';
import type { CustomRuleSettings, DetectSettings } from '../../../src/incidents/settings';
import type { Incident, IncidentEvent, Signal } from '../../../src/incidents/types';
import type { BotFacts, CheckFact, Occurrence } from '../../../src/incidents/window';
import { incidents as schema } from '../../../src/config/incidents-schema';
import type { Sample } from '../../../src/ipc/messages';
import { Metrics, type Fact } from '../../../src/metrics';
import { START, aBot } from './scene';

export const DEFAULTS: DetectSettings = schema.parse({}).detect;
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
const SAMPLE_MS = 5 * SECOND;
const LOOK_MS = 10 * SECOND;

/** What happens at one moment of a recording. */
export interface Moment {
  /** Samples of clusters, by id. */
  samples?: Record<number, Sample>;
  facts?: Fact[];
  bot?: BotFacts;
  checks?: CheckFact[];
  occurrences?: Occurrence[];
  signals?: Signal[];
}

/** Plays what clusters report through the real store, and looks at it with the real rules as the supervisor does. */
export class Recording {
  now = START;
  readonly metrics: Metrics;
  readonly events: IncidentEvent[] = [];
  readonly #book: IncidentBook;
  readonly #detector: Detector;
  #occurrences: Occurrence[] = [];
  #ids = 0;

  constructor(detect: Partial<DetectSettings> = {}, custom: readonly CustomRuleSettings[] = []) {
    this.metrics = new Metrics({ version: 'test', maxBytes: 200e6, now: () => this.now });
    this.#book = new IncidentBook({ makeId: () => `i${++this.#ids}`, emit: (event) => this.events.push(event) });
    const rules = createRules({ ...DEFAULTS, ...detect }, custom);
    this.#detector = new Detector({ rules, book: this.#book, intervalMs: LOOK_MS, reopenMs: 10 * MINUTE });
  }

  /** @param at what is the case so many ms after the beginning of this stretch */
  play(durationMs: number, at: (ms: number) => Moment): this {
    const begin = this.now;
    for (; this.now - begin < durationMs; this.now += SAMPLE_MS) {
      const {
        samples = {},
        facts = [],
        bot = aBot(),
        checks = [],
        occurrences = [],
        signals = [],
      } = at(this.now - begin);
      for (const [cluster, sample] of Object.entries(samples)) {
        this.metrics.take({ cluster: Number(cluster), incarnation: `c${cluster}`, adopted: false }, sample);
      }
      this.metrics.set(facts);
      this.metrics.tick();
      this.#occurrences.push(...occurrences);
      if (this.now % LOOK_MS !== 0) continue;
      const metrics = metricFigures(this.metrics.queries, () => this.now);
      this.#detector.step({ now: this.now, metrics, bot, checks, occurrences: this.#occurrences, signals });
    }
    return this;
  }

  /** Incidents that stand for themselves, as `rule scope`, in the order in which they were opened. */
  get opened(): string[] {
    return this.#told('incident.opened');
  }

  get resolved(): string[] {
    return this.#told('incident.resolved');
  }

  get open(): readonly Incident[] {
    return this.#book.unresolved;
  }

  /** How long after the beginning the first incident was opened, ms. */
  get openedAfter(): number {
    return (this.events.find(({ type }) => type === 'incident.opened')?.at ?? NaN) - START;
  }

  #told(type: IncidentEvent['type']): string[] {
    return this.events
      .filter((event) => event.type === type && event.incident.parent === null)
      .map(({ incident: { rule, scope } }) => `${rule} ${scope}`);
  }
}
