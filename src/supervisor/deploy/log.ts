import type { Logger } from 'pino';
import type { DeployEvent } from '../../deploy';

/** Writes what happens in a rollout to the log. */
export function logDeployEvent(logger: Logger, event: DeployEvent): void {
  const { type, ...fields } = event;
  const [level, text] = sentence(event);
  logger[level]({ event: type, ...fields }, text);
}

function sentence(event: DeployEvent): [level: 'info' | 'warn' | 'error', text: string] {
  switch (event.type) {
    case 'deploy.refused':
      return ['warn', `release ${event.to} is not deployed: ${event.reason}`];
    case 'deploy.started':
      return ['info', `${event.kind} of ${event.clusters} clusters begins: ${event.from} -> ${event.to}`];
    case 'deploy.cluster': {
      const gap = event.gapMs === null ? '' : `, gap ${Math.round(event.gapMs)} ms`;
      const why = event.reason === null ? '' : ` (${event.reason})`;
      return ['info', `cluster ${event.cluster} replaced, release ${event.release}: ${event.how}${gap}${why}`];
    }
    case 'deploy.stable':
      return ['info', `clusters ${event.clusters.join(', ')} are stable on the new release`];
    case 'deploy.paused':
      return ['info', 'the rollout is paused'];
    case 'deploy.resumed':
      return ['info', event.afterRestart ? 'the rollout goes on after a restart of botctl' : 'the rollout goes on'];
    case 'deploy.halted': {
      const next = event.rollsBack ? `; back to ${event.from}` : '';
      return ['error', `the rollout of ${event.to} is halted: ${event.reason}${next}`];
    }
    case 'deploy.ended': {
      const why = event.reason === null ? '' : `: ${event.reason}`;
      const text = `${event.kind} ${event.from} -> ${event.to}: ${event.end}${why}`;
      return [event.end === 'done' ? 'info' : event.end === 'failed' ? 'error' : 'warn', text];
    }
  }
}
