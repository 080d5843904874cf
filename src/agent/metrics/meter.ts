import {
  OTHER,
  type AgentCounter,
  type AgentGauge,
  type AgentSketch,
  type Labels,
  type Readings,
} from '../../ipc/readings';
import { Counter, Gauge, Sketch } from './instruments';

/** What names the counters, gauges and sketches of one source: the agent's own, or the bot's. */
export interface MetricNames {
  counter: string;
  gauge: string;
  sketch: string;
}

export interface AgentNames extends MetricNames {
  counter: AgentCounter;
  gauge: AgentGauge;
  sketch: AgentSketch;
}

/**
 * The counters, gauges and sketches of this process, by name and labels. Their number is bounded: what a label value too
 * many would add goes to `other`. Handles may be kept; asking again gives the same one.
 */
export class Meter<N extends MetricNames = AgentNames> {
  readonly #counters: Instruments<Counter>;
  readonly #gauges: Instruments<Gauge>;
  readonly #sketches: Instruments<Sketch>;

  /** @param maxLabelSets that one metric may have in this process */
  constructor(maxLabelSets: number) {
    this.#counters = new Instruments(maxLabelSets, () => new Counter());
    this.#gauges = new Instruments(maxLabelSets, () => new Gauge());
    this.#sketches = new Instruments(maxLabelSets, () => new Sketch());
  }

  counter(name: N['counter'], labels?: Labels): Counter {
    return this.#counters.get(name, labels);
  }

  gauge(name: N['gauge'], labels?: Labels): Gauge {
    return this.#gauges.get(name, labels);
  }

  sketch(name: N['sketch'], labels?: Labels): Sketch {
    return this.#sketches.get(name, labels);
  }

  /** How often labels were folded into `other`. */
  get folded(): number {
    return this.#counters.folded + this.#gauges.folded + this.#sketches.folded;
  }

  /** What has changed since the last reading; gauges always. */
  read(): Readings {
    const readings: Readings = { counters: [], gauges: [], sketches: [] };
    this.#counters.forEach((counter, name, labels) => push(readings.counters, counter.read(name, labels)));
    this.#gauges.forEach((gauge, name, labels) => push(readings.gauges, gauge.read(name, labels)));
    this.#sketches.forEach((sketch, name, labels) => push(readings.sketches, sketch.read(name, labels)));
    return readings;
  }

  /** The next reading goes to somebody who knows nothing yet. */
  resend(): void {
    this.#counters.forEach((counter) => counter.resend());
    this.#sketches.forEach((sketch) => sketch.resend());
  }
}

interface Member<T> {
  instrument: T;
  labels: Labels | undefined;
}

class Instruments<T> {
  folded = 0;
  readonly #byName = new Map<string, Map<string, Member<T>>>();

  constructor(
    private readonly maxLabelSets: number,
    private readonly make: () => T,
  ) {}

  get(name: string, labels: Labels | undefined): T {
    let members = this.#byName.get(name);
    if (members === undefined) this.#byName.set(name, (members = new Map<string, Member<T>>()));
    const key = labels === undefined ? '' : keyOf(labels);
    let member = members.get(key);
    if (member === undefined) {
      if (labels !== undefined && members.size >= this.maxLabelSets && !isOther(labels)) {
        this.folded++;
        return this.get(name, fold(labels));
      }
      members.set(key, (member = { instrument: this.make(), labels }));
    }
    return member.instrument;
  }

  forEach(visit: (instrument: T, name: string, labels: Labels | undefined) => void): void {
    for (const [name, members] of this.#byName) {
      for (const { instrument, labels } of members.values()) visit(instrument, name, labels);
    }
  }
}

function push<T>(list: T[], reading: T | null): void {
  if (reading !== null) list.push(reading);
}

/** Order of the names does not matter. */
function keyOf(labels: Labels): string {
  const names = Object.keys(labels);
  if (names.length === 1) return `${names[0] ?? ''}=${labels[names[0] ?? ''] ?? ''}`;
  return names
    .sort()
    .map((name) => `${name}=${labels[name] ?? ''}`)
    .join('\n');
}

function fold(labels: Labels): Labels {
  return Object.fromEntries(Object.keys(labels).map((name) => [name, OTHER]));
}

function isOther(labels: Labels): boolean {
  return Object.values(labels).every((value) => value === OTHER);
}
