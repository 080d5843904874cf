import type { RolloutStatus } from '../../control/deploy-contract';
import type { MaintenanceStatus } from '../../control/maintenance-contract';
import type { UnderWay } from '../../recovery';

/** What recovery must not disturb. Pure. */
export function underWay(
  rollout: Pick<RolloutStatus, 'phase' | 'to'> | null,
  maintenance: Pick<NonNullable<MaintenanceStatus['running']>, 'text'> | null,
  scaling: boolean,
): UnderWay {
  const shard = scaling ? 'the clusters are being scaled' : ofRollout(rollout);
  // A shard that resumes is in nobody's way; a cluster that starts asks the databases for much.
  return { shard, cluster: shard ?? (maintenance === null ? null : `maintenance is under way (${maintenance.text})`) };
}

function ofRollout(rollout: Pick<RolloutStatus, 'phase' | 'to'> | null): string | null {
  switch (rollout?.phase) {
    case 'running':
      return `a rollout of ${rollout.to} is under way`;
    case 'rolling-back':
      return `the rollout of ${rollout.to} is being taken back`;
    default:
      return null;
  }
}
