import { signalKey } from './log/local-log';
import type { IncidentType, Signal } from './types';

/** Facts that nobody tells again after a restart: they hold until somebody says that they do not. */
const LASTING: ReadonlySet<IncidentType> = new Set([
  'backup-failed',
  'maintenance-failed',
  'deploy-failed',
  'capacity-limit',
]);

/** What other parts say that holds. */
export class SignalBoard {
  readonly #held = new Map<string, { signal: Signal; until: number }>();

  /** Those of an earlier supervisor that still count. */
  restore(signals: readonly Signal[], now: number): void {
    for (const signal of signals) if (isLasting(signal)) this.take(signal, now);
  }

  /** @returns does it change anything but the text? */
  take(signal: Signal, now: number): boolean {
    const key = signalKey(signal);
    const before = this.#held.get(key);
    if (!signal.holds) return this.#held.delete(key);
    this.#held.set(key, { signal, until: signal.forMs === undefined ? Infinity : now + signal.forMs });
    return before === undefined || before.signal.severity !== signal.severity;
  }

  held(now: number): Signal[] {
    for (const [key, { until }] of this.#held) if (until <= now) this.#held.delete(key);
    return [...this.#held.values()].map(({ signal }) => signal);
  }
}

/** Must it be kept over a restart? */
export function isLasting({ type, forMs }: Signal): boolean {
  return LASTING.has(type) && forMs === undefined;
}
