import type { ClusterState, HealthState, ServerStatus, ShardState, Status } from '../../../control/contract.js';

/** Says at a glance what to think of a state; always beside a word and a shape. */
export type Tone = 'good' | 'busy' | 'bad' | 'quiet';

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

export const SERVER_TONES: Record<ServerStatus['state'], Tone> = {
  up: 'good',
  down: 'bad',
  starting: 'busy',
  off: 'quiet',
};

export const HEALTH_TONES: Record<HealthState, Tone> = { healthy: 'good', unknown: 'busy', unhealthy: 'bad' };

export function headlineOf(status: Status): [tone: Tone, word: string] {
  switch (status.supervisor.state) {
    case 'starting':
      return ['busy', 'starting'];
    case 'stopping':
      return ['busy', 'stopping'];
    case 'dead':
      return ['quiet', 'not running'];
    case 'deaf':
      return ['bad', 'not answering'];
    case 'running':
      return status.verdict === 'well' ? ['good', 'well'] : ['bad', 'degraded'];
  }
}
