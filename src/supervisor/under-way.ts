import type { RolloutStatus } from '../control/deploy-contract';

/** What recovery must not disturb by replacing clusters; null: nothing. Pure. */
export function underWay(rollout: Pick<RolloutStatus, 'phase' | 'to'> | null): string | null {
  switch (rollout?.phase) {
    case 'running':
      return `a rollout of ${rollout.to} is under way`;
    case 'rolling-back':
      return `the rollout of ${rollout.to} is being taken back`;
    default:
      return null;
  }
}
