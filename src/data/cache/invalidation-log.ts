import { RegionLog } from './region-log';
import type { Scope } from './region-log';

/** One line of the log that the processes share in Redis. */
export interface LogRecord {
  region: string;
  scope: Scope;
}

const KINDS: readonly Scope['kind'][] = ['all', 'prefix', 'tag'];

/** What the whole log knows nothing older than. */
export const FLOOR_MEMBER = '';

export function encodeRecord({ region, scope }: LogRecord): string {
  return `${region}\0${scope.kind}\0${scope.pattern}`;
}

/** null: not a record that this version can read. */
export function decodeRecord(member: string): LogRecord | null {
  const [region, kind, ...pattern] = member.split('\0');
  const known = KINDS.find((name) => name === kind);
  if (region === undefined || known === undefined) return null;
  return { region, scope: { kind: known, pattern: pattern.join('\0') } };
}

/** This process's copy of the shared log of prefix, tag and region invalidations. */
export class InvalidationLog {
  #seq = 0;
  #floor = 0;
  readonly #regions = new Map<string, RegionLog>();

  /** The newest number known; entries asked for from now on carry it. */
  get seq(): number {
    return this.#seq;
  }

  of(region: string): RegionLog {
    let log = this.#regions.get(region);
    if (log === undefined) {
      log = new RegionLog();
      log.raiseFloor(this.#floor);
      this.#regions.set(region, log);
    }
    return log;
  }

  /** @param seq Redis's number; 0 without Redis, or while it does not answer */
  add({ region, scope }: LogRecord, seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
    this.of(region).add(scope, seq);
  }

  /** A line as it stands in Redis. One that cannot be read (of a later version) hits everything, to be safe. */
  addMember(member: string, seq: number): void {
    const record = member === FLOOR_MEMBER ? null : decodeRecord(member);
    if (record === null) this.raiseFloor(seq);
    else this.add(record, seq);
  }

  raiseFloor(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
    this.#floor = Math.max(this.#floor, seq);
    for (const log of this.#regions.values()) log.raiseFloor(seq);
  }

  /** Messages may have been missed: nothing that is in L1 now counts any more. */
  dropLocal(): void {
    for (const log of this.#regions.values()) log.dropLocal();
  }
}
