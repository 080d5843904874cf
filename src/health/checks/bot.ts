import ms from 'ms';
import type { BotCheckSample } from '../../ipc/health-sample';
import type { HealthCheck, Reading } from '../check';
import { SAMPLE_AGE_MS, type LiveSource } from '../live';

export interface BotChecksOptions {
  live: LiveSource;
  now: () => number;
}

/** More are not believed, whatever a process says. */
const MAX_PER_CLUSTER = 32;
const MAX_NAME = 64;
/** A check whose result is older than so many of its intervals is not run any more. */
const OVERDUE_INTERVALS = 3;

/** What the bot's own checks say, by the SDK's `health.register`: they run in the clusters and come with the samples. */
export class BotChecks implements HealthCheck {
  readonly name = 'bot';
  readonly scope = { kind: 'bot' } as const;

  constructor(private readonly options: BotChecksOptions) {}

  look(): Reading[] {
    return (this.options.live()?.clusters ?? []).flatMap(({ id, sample }) =>
      (sample?.health ?? []).slice(0, MAX_PER_CLUSTER).map((check) => ({
        check: `bot:${check.name.slice(0, MAX_NAME)}`,
        scope: { kind: 'cluster', id } as const,
        ...this.#verdict(check),
      })),
    );
  }

  #verdict({ ok, message, at, intervalMs, timeoutMs }: BotCheckSample): Pick<Reading, 'ok' | 'message'> {
    if (at === null) return { ok: null, message: 'has not run yet' };
    const age = this.options.now() - at;
    const overdue = age > OVERDUE_INTERVALS * intervalMs + timeoutMs + SAMPLE_AGE_MS;
    return overdue ? { ok: false, message: `has not run for ${ms(age)}` } : { ok, message };
  }
}
