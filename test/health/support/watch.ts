import type { HealthCheck } from '../../../src/health';
import { HealthChecker, type HealthResult, type HealthState } from '../../../src/health';
import { systemClock } from '../../../src/clock';
import { until } from '../../support/until';

/** A checker on real time with quick rounds, and the thresholds of the default config. */
export class Watch {
  readonly #checker: HealthChecker;
  readonly changes: HealthState[] = [];

  constructor(
    checks: readonly HealthCheck[],
    { intervalMs = 100, timeoutMs = intervalMs / 2 }: { intervalMs?: number; timeoutMs?: number } = {},
  ) {
    this.#checker = new HealthChecker({
      plans: checks.map((check) => ({ check, timeoutMs, failures: 3, successes: 2 })),
      clock: systemClock,
      intervalMs,
      emit: ({ to }) => this.changes.push(to),
      redact: (text) => text,
    });
    this.#checker.start();
  }

  /** The results of one check by its scopes' numbers, or the only one. */
  results(name?: string): HealthResult[] {
    return this.#checker.view().results.filter(({ check }) => name === undefined || check === name);
  }

  /** Waits until all results are in the state; returns the first. */
  async until(state: HealthState): Promise<HealthResult> {
    await until(
      () => {
        const results = this.results();
        return results.length > 0 && results.every((result) => result.state === state);
      },
      { timeoutMs: 30_000, what: () => `${state}: ${JSON.stringify(this.results())}` },
    );
    return this.results()[0]!;
  }

  stop(): void {
    this.#checker.stop();
  }
}
