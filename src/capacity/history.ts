import { firstRow, HOUR_MS, KEPT_HOURS, together, withSample, type Hour, type HourRow } from './hour';
import type { Observation, ResourceName } from './resource';

export interface Series {
  resource: ResourceName;
  scope: string;
  /** Oldest first; hours in which nothing was seen are missing. */
  hours: readonly Hour[];
}

/** Series above this many are not taken in: scopes are few, so somebody has gone wrong. */
const MAX_SERIES = 2_000;

/** The last 30 days in memory, by the hour. Whoever keeps it for longer than the process says what it lacks. */
export class History {
  readonly #rows = new Map<string, HourRow>();
  readonly #series = new Set<string>();
  /** Keys of rows that the database has not got as they are now. */
  readonly #unwritten = new Set<string>();

  /** @param part name of this state folder among those that have seen something */
  constructor(readonly part: string) {}

  add(observations: readonly Observation[], now: number): void {
    const hour = Math.floor(now / HOUR_MS);
    for (const observation of observations) {
      const { resource, scope, value } = observation;
      if (!Number.isFinite(value) || !this.#admits(resource, scope)) continue;
      const key = keyOf({ hour, resource, scope, part: this.part });
      const row = this.#rows.get(key);
      this.#rows.set(key, row === undefined ? firstRow(hour, this.part, observation) : withSample(row, observation));
      this.#unwritten.add(key);
    }
    this.#forget(hour);
  }

  /** Takes in what was kept. Of two accounts of one hour the one that has seen more holds. */
  merge(rows: readonly HourRow[], place: 'folder' | 'database', now: number): void {
    const hour = Math.floor(now / HOUR_MS);
    for (const row of rows) {
      // A clock that was wrong must not leave rows behind that never grow old.
      if (row.hour <= hour - KEPT_HOURS || row.hour > hour || !this.#admits(row.resource, row.scope)) continue;
      const key = keyOf(row);
      const known = this.#rows.get(key);
      if (known === undefined || known.samples <= row.samples) {
        this.#rows.set(key, row);
        if (place === 'database') this.#unwritten.delete(key);
      }
      if (place === 'folder') this.#unwritten.add(key);
    }
  }

  /** What the database lacks; the hour that is still open only if asked for. */
  unwritten(now: number, { open }: { open: boolean }): HourRow[] {
    const hour = Math.floor(now / HOUR_MS);
    const rows = [...this.#unwritten].flatMap((key) => this.#rows.get(key) ?? []);
    return open ? rows : rows.filter((row) => row.hour < hour);
  }

  written(rows: readonly HourRow[]): void {
    for (const row of rows) {
      const key = keyOf(row);
      if (this.#rows.get(key) === row) this.#unwritten.delete(key); // else it has seen more meanwhile
    }
  }

  /** Rows of this state folder from an hour on. */
  own(fromHour: number): HourRow[] {
    return [...this.#rows.values()].filter(({ hour, part }) => part === this.part && hour >= fromHour);
  }

  /** Rows of everybody. */
  all(): HourRow[] {
    return [...this.#rows.values()];
  }

  series(): Series[] {
    const byName = new Map<string, Map<number, Hour>>();
    for (const row of this.#rows.values()) {
      const name = `${row.resource}\n${row.scope}`;
      const hours = byName.get(name) ?? new Map<number, Hour>();
      const known = hours.get(row.hour);
      hours.set(row.hour, known === undefined ? row : together(known, row));
      byName.set(name, hours);
    }
    return [...byName].map(([name, hours]) => {
      const [resource = '', scope = ''] = name.split('\n');
      return {
        resource: resource as ResourceName,
        scope,
        hours: [...hours.values()].sort((a, b) => a.hour - b.hour),
      };
    });
  }

  #admits(resource: string, scope: string): boolean {
    const name = `${resource}\n${scope}`;
    if (this.#series.has(name)) return true;
    if (this.#series.size >= MAX_SERIES) return false;
    this.#series.add(name);
    return true;
  }

  #forget(hour: number): void {
    for (const [key, row] of this.#rows) {
      if (row.hour > hour - KEPT_HOURS) continue;
      this.#rows.delete(key);
      this.#unwritten.delete(key);
    }
  }
}

function keyOf({ hour, resource, scope, part }: Pick<HourRow, 'hour' | 'resource' | 'scope' | 'part'>): string {
  return `${hour}\n${resource}\n${scope}\n${part}`;
}
