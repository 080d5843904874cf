import ms from 'ms';
import type { HealthCheck, Reading } from '../check';
import type { LiveSource } from '../live';

export interface IdentifyBudgetCheckOptions {
  live: LiveSource;
  now: () => number;
  /** Share of the day's identifies that should be left. */
  minShare: number;
}

/** Are there identifies left for the day? Without them no lost session can be replaced. */
export class IdentifyBudgetCheck implements HealthCheck {
  readonly name = 'identify-budget';
  readonly scope = { kind: 'bot' } as const;

  constructor(private readonly options: IdentifyBudgetCheckOptions) {}

  look(): Reading[] {
    const { live, now, minShare } = this.options;
    const budget = live()?.identify.budget ?? null;
    if (budget === null) return [{ scope: this.scope, ok: null, message: 'not known yet' }];
    const { total, remaining, reserve, resetAt } = budget;
    const reset = resetAt > now() ? `, reset in ${ms(resetAt - now())}` : '';
    const left = `${remaining} of ${total} identifies left${reset}`;
    if (remaining <= reserve) {
      return [{ scope: this.scope, ok: false, message: `${left}: only the reserve of ${reserve} is left` }];
    }
    return [{ scope: this.scope, ok: remaining > total * minShare, message: left }];
  }
}
