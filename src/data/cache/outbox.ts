import { encodeRecord } from './invalidation-log';
import type { LogRecord } from './invalidation-log';

/** More than this and single keys are no longer listed, but their whole region counts as invalidated. */
const MAX_ITEMS = 10_000;

/** Invalidations that could not be told yet; each once, however often it happened. */
export class Outbox {
  readonly #keys = new Map<string, Set<string>>();
  readonly #records = new Map<string, LogRecord>();
  #size = 0;

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  addKey(region: string, key: string): void {
    if (this.#records.has(encodeRecord(all(region)))) return;
    const keys = this.#keys.get(region) ?? new Set();
    this.#keys.set(region, keys);
    if (keys.has(key)) return;
    keys.add(key);
    this.#size += 1;
    if (this.#size > MAX_ITEMS) this.#shorten();
  }

  addRecord(record: LogRecord): void {
    if (this.#records.has(encodeRecord(all(record.region)))) return;
    const id = encodeRecord(record);
    if (this.#records.has(id)) return;
    this.#records.set(id, record);
    this.#size += 1;
    if (this.#size > MAX_ITEMS) this.#shorten();
  }

  /** Everything in it, which is then no longer in it. */
  take(): { keys: { region: string; key: string }[]; records: LogRecord[] } {
    const keys = [...this.#keys].flatMap(([region, set]) => [...set].map((key) => ({ region, key })));
    const records = [...this.#records.values()];
    this.#keys.clear();
    this.#records.clear();
    this.#size = 0;
    return { keys, records };
  }

  #shorten(): void {
    const regions = new Set([...this.#keys.keys(), ...[...this.#records.values()].map(({ region }) => region)]);
    this.take();
    for (const region of regions) this.#records.set(encodeRecord(all(region)), all(region));
    this.#size = this.#records.size;
  }
}

function all(region: string): LogRecord {
  return { region, scope: { kind: 'all', pattern: '' } };
}
