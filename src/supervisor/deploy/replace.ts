import type { Config } from '../../config';
import { ControlError, type Progress } from '../../control/contract';
import type { Cluster } from '../../sharding/cluster/cluster';
import type { HandoffSettings } from '../../sharding/handoff/handoff';
import type { HandoffStep, ReplaceOptions, ReplaceOutcome } from '../../sharding/handoff/replace';

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

/** The caches of a large cluster take a while, ms. */
const COPY_TIMEOUT_MS = 5 * 60_000;
const CONNECT_TIMEOUT_MS = 60_000;
/** Longer than the predecessor waits before it takes its sessions back, ms. */
const CUT_TIMEOUT_MS = 20_000;

/** null: handoffs are switched off. */
export function handoffSettings({ handoff, spawnTimeout }: Config['sharding']): HandoffSettings | null {
  if (!handoff.enabled) return null;
  return {
    messagesPerChannel: handoff.messages,
    bootTimeoutMs: spawnTimeout,
    copyTimeoutMs: COPY_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    cutTimeoutMs: CUT_TIMEOUT_MS,
    drainMs: handoff.drainTimeout,
  };
}

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
    const hint = 'See: botctl logs. If two processes of the bot cannot live side by side: botctl restart --cold';
    throw new ControlError(500, message, hint);
  }
  if (!outcome.ready) throw new ControlError(500, `Cluster ${cluster.id} is ${cluster.state}.`, 'See: botctl logs');
  tell(sentence(outcome));
  return outcome;
}

function sentence({ how, reason, identifies, gapMs, dropped }: ReplaceOutcome): string {
  const spent = `${identifies} ${identifies === 1 ? 'identify' : 'identifies'} spent`;
  if (how !== 'handoff') return `restarted, not handed over: ${reason ?? 'unknown'}; ${spent}; ready`;
  const lost = [
    ...(dropped !== null && dropped.collectors > 0 ? [`${dropped.collectors} collectors`] : []),
    ...(dropped !== null && dropped.voiceConnections > 0 ? [`${dropped.voiceConnections} voice connections`] : []),
  ];
  const gap = gapMs === null ? '' : `, gap ${Math.round(gapMs)} ms`;
  return `handed over${gap}; ${spent}${lost.length > 0 ? `; ended with the old process: ${lost.join(', ')}` : ''}; ready`;
}
