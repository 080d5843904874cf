import type { HealthCheckStatus, HealthStatus } from '../../../control/contract.js';
import { byId, put } from './dom.mjs';
import { count, duration, roughly } from './format.mjs';
import { LiveTable } from './table.mjs';
import { HEALTH_TONES } from './tones.mjs';

/** The health checks, worst first. */
export class HealthTable {
  readonly #table = new LiveTable<HealthCheckStatus>(
    byId('health'),
    [
      { title: 'Check', value: ({ name }) => name },
      { title: 'State', text: true, value: ({ state }) => ({ text: state, tone: HEALTH_TONES[state] }) },
      { title: 'For', value: ({ since }) => roughly(Date.now() - since) },
      { title: 'Well', value: wellOf },
      { title: 'Says', text: true, wide: true, value: ({ message }) => message },
    ],
    ({ name }) => name,
    ({ named, scopes }) =>
      named.length === 0 || scopes === 1
        ? null
        : { text: named.map(({ scope, message }) => `${scope}: ${message}`).join('; '), tone: 'bad' },
  );

  draw(health: HealthStatus | null): void {
    byId('health-card').hidden = health === null;
    if (health === null) return;
    this.#table.draw(health.checks);
    const round = health.roundAt === null ? 'not looked at yet' : `${duration(Date.now() - health.roundAt)} ago`;
    put(byId('health-round'), `${round}, every ${duration(health.intervalMs)}`);
  }
}

function wellOf({ scopes, unhealthy, failing }: HealthCheckStatus): string {
  const well = scopes - unhealthy - failing;
  return well === scopes ? count(scopes) : `${count(well)} of ${count(scopes)}`;
}
