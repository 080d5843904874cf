import ms from 'ms';
import type { HealthCheck, Reading } from '../check';
import { SAMPLE_AGE_MS, type LiveSource } from '../live';

export interface EventLoopCheckOptions {
  live: LiveSource;
  now: () => number;
  /** 99th percentile of the delay that is still well, ms. */
  maxDelayMs: number;
}

/** Samples are sent by the loop itself: without one for so long, ms, it stands still. */
const SILENT_MS = 2 * SAMPLE_AGE_MS;

/** Does each cluster's event loop come round in time? */
export class EventLoopCheck implements HealthCheck {
  readonly name = 'event-loop';
  readonly scope = { kind: 'bot' } as const;

  constructor(private readonly options: EventLoopCheckOptions) {}

  look(): Reading[] {
    const { live, now, maxDelayMs } = this.options;
    return (live()?.clusters ?? []).flatMap(({ id, sample, state }): Reading[] => {
      const scope = { kind: 'cluster', id } as const;
      if (state === 'hung') return [{ scope, ok: false, message: 'does not answer' }];
      if (sample === null) return [];
      const silentMs = now() - sample.at;
      if (silentMs > SILENT_MS) return [{ scope, ok: false, message: `stands still: not a word for ${ms(silentMs)}` }];
      const { loopDelayP99Ms, loopDelayMaxMs } = sample;
      const message = `delay ${Math.round(loopDelayP99Ms)} ms (99th percentile), at most ${Math.round(loopDelayMaxMs)} ms`;
      const ok = loopDelayP99Ms <= maxDelayMs;
      return [{ scope, ok, message: ok ? message : `${message}; well is up to ${maxDelayMs} ms` }];
    });
  }
}
