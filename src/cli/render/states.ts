import type { ClusterState, ShardState, Status } from '../../control/contract';
import type { Tone } from './style';

export const CLUSTER_TONES: Record<ClusterState, Tone> = {
  waiting: 'quiet',
  booting: 'busy',
  starting: 'busy',
  ready: 'good',
  degraded: 'bad',
  hung: 'bad',
  backoff: 'bad',
  'crash-loop': 'bad',
  fatal: 'bad',
  stopping: 'busy',
  stopped: 'quiet',
};

export const SHARD_TONES: Record<ShardState, Tone> = {
  waiting: 'quiet',
  connecting: 'busy',
  queued: 'busy',
  identifying: 'busy',
  guilds: 'busy',
  resuming: 'busy',
  ready: 'good',
  stale: 'bad',
  disconnected: 'bad',
  dead: 'bad',
};

/** The supervisor's state and the verdict in the words of the headline. */
export function headlineOf(status: Status): { tone: Tone; word: string } {
  switch (status.supervisor.state) {
    case 'dead':
      return { tone: 'quiet', word: 'is not running' };
    case 'deaf':
      return { tone: 'bad', word: 'does not answer' };
    case 'starting':
      return { tone: 'busy', word: 'is starting' };
    case 'stopping':
      return { tone: 'busy', word: 'is stopping' };
    case 'running':
      return status.verdict === 'well' ? { tone: 'good', word: 'is well' } : { tone: 'bad', word: 'is degraded' };
  }
}
