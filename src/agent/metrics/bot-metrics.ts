import { BOT_PREFIX, type Labels, type Readings } from '../../ipc/readings';
import type { BotMetric, MetricSink } from '../../ipc/sdk-bridge';
import { Meter, type MetricNames } from './meter';

/** Metrics that a bot may have of its own, and label sets of each; what is beyond them goes to `other` or is dropped. */
const MAX_METRICS = 200;
const MAX_LABEL_SETS = 100;
const MAX_LABELS = 8;
const MAX_VALUE_CHARS = 64;
const NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/;
const RESERVED_ENDING = /_(total|bucket|sum|count)$/;
/** Names that botctl gives itself. */
const RESERVED = new Set(['cluster', 'shard', 'le', 'quantile']);

/** What a bot records through the SDK. A mistake is told once per metric and never thrown. */
export class BotMetrics implements MetricSink {
  readonly #meter = new Meter<MetricNames>(MAX_LABEL_SETS);
  readonly #kinds = new Map<string, BotMetric['kind']>();
  readonly #warned = new Set<string>();
  #dropped = 0;

  constructor(private readonly warn: (text: string) => void) {}

  record(metric: BotMetric): void {
    try {
      this.#record(metric);
    } catch {
      this.#dropped++; // a tag that cannot be made text, or no metric at all
    }
  }

  #record({ kind, name, value, tags }: BotMetric): void {
    const problem = this.#problem(kind, name, value);
    if (problem !== null) return this.#drop(name, problem);
    const full = fullName(kind, name);
    const labels = this.#labels(name, tags);
    if (kind === 'counter') this.#meter.counter(full, labels).add(value);
    else if (kind === 'gauge') this.#meter.gauge(full, labels).value = value;
    else this.#meter.sketch(full, labels).record(value);
  }

  /** How much was folded into `other` or dropped. */
  get folded(): number {
    return this.#meter.folded + this.#dropped;
  }

  read(): Readings {
    return this.#meter.read();
  }

  resend(): void {
    this.#meter.resend();
  }

  #problem(kind: BotMetric['kind'], name: unknown, value: unknown): string | null {
    if (typeof name !== 'string' || !NAME.test(name)) return 'a name is made of letters, digits and _';
    if (RESERVED_ENDING.test(name) && !(kind === 'counter' && name.endsWith('_total'))) {
      return 'names that end in _total, _bucket, _sum or _count have a meaning of their own in Prometheus';
    }
    if (typeof value !== 'number' || !Number.isFinite(value)) return 'a value is a finite number';
    if (kind === 'counter' && value < 0) return 'a counter only grows';
    const known = this.#kinds.get(name);
    if (known !== undefined) return known === kind ? null : `it is a ${known} already`;
    if (this.#kinds.size >= MAX_METRICS) return `more than ${MAX_METRICS} metrics`;
    this.#kinds.set(name, kind);
    return null;
  }

  #labels(name: string, tags: Record<string, unknown> | undefined): Labels | undefined {
    if (tags === undefined) return undefined;
    const labels: Record<string, string> = {};
    for (const [tag, value] of Object.entries(tags)) {
      if (!NAME.test(tag) || tag.startsWith('__') || RESERVED.has(tag)) {
        this.#warnOnce(name, `the tag ${tag} is left out: it is reserved, or not made of letters, digits and _`);
      } else if (Object.keys(labels).length >= MAX_LABELS) {
        this.#warnOnce(name, `it has more than ${MAX_LABELS} tags`);
      } else {
        labels[tag] = String(value).slice(0, MAX_VALUE_CHARS);
      }
    }
    return Object.keys(labels).length === 0 ? undefined : labels;
  }

  #drop(name: unknown, problem: string): void {
    this.#dropped++;
    this.#warnOnce(String(name), `it is not recorded: ${problem}`);
  }

  #warnOnce(name: string, text: string): void {
    if (this.#warned.has(name) || this.#warned.size >= MAX_METRICS) return;
    this.#warned.add(name);
    this.warn(`metric ${name.slice(0, 100)}: ${text}`);
  }
}

/** By Prometheus's conventions. */
function fullName(kind: BotMetric['kind'], name: string): string {
  const base = name.startsWith(BOT_PREFIX) ? name : BOT_PREFIX + name;
  return kind === 'counter' && !base.endsWith('_total') ? `${base}_total` : base;
}
