import type { ClusterStep, RolloutState } from './state';

/** What comes next in a rollout. */
export type RolloutStep =
  | { do: 'replace'; clusters: readonly number[] }
  /** Look at the new ones beside the old ones for so long. */
  | { do: 'watch'; ms: number }
  | { do: 'next-batch' }
  /** Wait until an operator says how to go on. */
  | { do: 'hold' }
  | { do: 'return'; clusters: readonly number[] }
  | { do: 'end'; end: 'done' | 'rolled-back' };

/**
 * Pure.
 * @param atOnce clusters that the machine replaces side by side, whatever the size of a batch
 */
export function nextStep(state: RolloutState, atOnce: number): RolloutStep {
  return state.phase === 'rolling-back' ? nextBack(state, atOnce) : nextForward(state, atOnce);
}

function nextForward(state: RolloutState, atOnce: number): RolloutStep {
  const { batches, at, watched, settings } = state;
  const batch = batches[at];
  if (batch === undefined) return { do: 'end', end: 'done' };
  const waiting = batch.filter((id) => stepOf(state, id) !== 'replaced');
  // What was replaced is watched also while it is paused; only nothing more is replaced.
  if (waiting.length > 0) return state.paused ? { do: 'hold' } : { do: 'replace', clusters: waiting.slice(0, atOnce) };
  if (!watched) return { do: 'watch', ms: watchTime(at, batches.length, settings) };
  return { do: 'next-batch' };
}

/** The canary and the whole get the full time, what is between the pause. */
function watchTime(at: number, batches: number, settings: RolloutState['settings']): number {
  const ends = at === 0 || at === batches - 1;
  return ends ? settings.stabilityMs : settings.pauseMs;
}

function nextBack({ clusters, settings }: RolloutState, atOnce: number): RolloutStep {
  const left = clusters.filter(({ step }) => step === 'replaced' || step === 'replacing' || step === 'returning');
  if (left.length === 0) return { do: 'end', end: 'rolled-back' };
  return { do: 'return', clusters: left.slice(0, Math.min(settings.batch, atOnce)).map(({ id }) => id) };
}

function stepOf({ clusters }: RolloutState, id: number): ClusterStep {
  return clusters.find((cluster) => cluster.id === id)?.step ?? 'waiting';
}

/** How a rollout stands after the supervisor was started again: what was under way has come to one of its two ends. */
export function recovered(state: RolloutState, runsNew: (cluster: number) => boolean): RolloutState {
  const clusters = state.clusters.map((cluster) => {
    switch (cluster.step) {
      case 'replacing':
        return { ...cluster, step: runsNew(cluster.id) ? ('replaced' as const) : ('waiting' as const) };
      case 'returning':
        return { ...cluster, step: runsNew(cluster.id) ? ('replaced' as const) : ('returned' as const) };
      default:
        return cluster;
    }
  });
  // What was seen before the restart is gone: the batch is watched again.
  return { ...state, clusters, watched: false };
}

export type CanaryChoice = 'smallest' | 'largest' | number;

/** The order in which clusters are replaced: the canary first, then ascending. Pure. */
export function planBatches(
  clusters: readonly { id: number; guilds: number }[],
  { canary, batch }: { canary: CanaryChoice; batch: number },
): number[][] {
  const ids = clusters.map(({ id }) => id).sort((a, b) => a - b);
  const first = canaryOf(clusters, canary);
  if (first === null) return [];
  const rest = ids.filter((id) => id !== first);
  const batches = [[first]];
  for (let at = 0; at < rest.length; at += batch) batches.push(rest.slice(at, at + batch));
  return batches;
}

function canaryOf(clusters: readonly { id: number; guilds: number }[], choice: CanaryChoice): number | null {
  if (typeof choice === 'number' && clusters.some(({ id }) => id === choice)) return choice;
  const sign = choice === 'largest' ? -1 : 1;
  const [first] = [...clusters].sort((a, b) => sign * (a.guilds - b.guilds) || a.id - b.id);
  return first?.id ?? null;
}
