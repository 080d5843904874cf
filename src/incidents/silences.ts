import { touches } from './scopes';
import type { Silence } from './log/records';
import type { Incident } from './types';

/** Silences of whole types or scopes, as for planned work. */
export class Silences {
  #all: Silence[] = [];

  restore(silences: readonly Silence[]): void {
    this.#all = [...silences];
  }

  add(silence: Silence): void {
    this.#all = [...this.#all.filter(({ id }) => id !== silence.id), silence];
  }

  /** Those that hold. */
  active(now: number): Silence[] {
    return this.#all.filter(({ until }) => until > now);
  }

  get(id: string): Silence | null {
    return this.#all.find((silence) => silence.id === id) ?? null;
  }

  covers(incident: Incident, now: number): boolean {
    if (incident.silencedUntil !== null && incident.silencedUntil > now) return true;
    return this.active(now).some(({ type, scope }) => {
      const fits = scope === undefined || incident.affected.every((one) => touches(scope, one, null));
      return (type === undefined || type === incident.type) && fits;
    });
  }
}
