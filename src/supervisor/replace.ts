import { ControlError, type Progress } from '../control/contract';
import type { Cluster } from '../sharding/cluster';
import type { HandoffStep, ReplaceOptions, ReplaceOutcome } from '../sharding/handoff/replace';

const STEPS: Record<HandoffStep, string> = {
  booting: 'its successor boots',
  copying: 'the caches go over',
  connecting: 'the successor connects',
  cutting: 'the sessions go over',
  resuming: 'the successor resumes',
  draining: 'the old process finishes its work',
  stopping: 'stopping',
  starting: 'starting',
};

/**
 * Replaces a cluster's process and tells each step.
 * @throws ControlError when the cluster is not ready afterwards, or was kept
 */
export async function replaceCluster(
  cluster: Cluster,
  onProgress: (line: Progress) => void,
  options: Omit<ReplaceOptions, 'onStep'> = {},
): Promise<ReplaceOutcome> {
  const tell = (text: string): void => onProgress({ done: false, text: `cluster ${cluster.id}: ${text}` });
  const outcome = await cluster.replace({ ...options, onStep: (step) => tell(STEPS[step]) });
  if (outcome.how === 'kept') {
    const message = `Cluster ${cluster.id} was not replaced and goes on as before: ${outcome.reason ?? 'unknown'}.`;
    throw new ControlError(500, message, 'See: botctl logs');
  }
  if (!outcome.ready) throw new ControlError(500, `Cluster ${cluster.id} is ${cluster.state}.`, 'See: botctl logs');
  tell('ready');
  return outcome;
}
