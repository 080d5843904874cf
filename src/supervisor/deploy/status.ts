import type { RolloutStatus } from '../../control/deploy-contract';
import type { RolloutState } from '../../deploy';

/** A rollout as other commands see it. Pure. */
export function rolloutStatus(state: RolloutState, doing: string | null): RolloutStatus {
  const { id, kind, from, to, phase, paused, reason, startedAt, endedAt, clusters, batches } = state;
  return {
    id,
    kind,
    from,
    to,
    phase,
    paused,
    reason,
    startedAt,
    endedAt,
    doing,
    clusters: clusters.map(({ id: cluster, step, how, gapMs, caughtUpMs, identifies }) => {
      return { id: cluster, step, how, gapMs, caughtUpMs, identifies };
    }),
    batches: batches.map((batch) => [...batch]),
  };
}
