import type { Config } from '../config';
import type { ClusterSettings } from '../sharding/cluster/cluster-deps';
import { handoffSettings } from './deploy/replace';

/** What the master must know of the config about each cluster. */
export function clusterSettingsOf({ sharding, metrics }: Pick<Config, 'sharding' | 'metrics'>): ClusterSettings {
  const { restart } = sharding;
  return {
    spawnTimeoutMs: sharding.spawnTimeout,
    hangTimeoutMs: sharding.hangTimeout,
    stopTimeoutMs: sharding.stopTimeout,
    sampleIntervalMs: metrics.interval,
    graceMs: sharding.graceTime,
    checkpointMs: sharding.checkpoint.enabled ? sharding.checkpoint.interval : 0,
    restart: {
      backoffMinMs: restart.backoffMin,
      backoffMaxMs: restart.backoffMax,
      jitter: restart.jitter,
      maxRestarts: restart.maxRestarts,
      windowMs: restart.window,
      crashLoopRetryMs: restart.crashLoopRetry,
      stableAfterMs: restart.stableAfter,
    },
    handoff: handoffSettings(sharding),
  };
}
