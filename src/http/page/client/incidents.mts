import type { IncidentStatus } from '../../../control/incidents.js';
import { byId } from './dom.mjs';
import { roughly } from './format.mjs';
import { LiveTable } from './table.mjs';

const TONES = { critical: 'bad', warning: 'busy', info: 'quiet' } as const;

/** Open incidents that stand for themselves, the most severe first, with what was last done about them. */
export class IncidentTable {
  readonly #table = new LiveTable<IncidentStatus>(
    byId('incidents'),
    [
      { title: 'Incident', value: ({ rule }) => rule },
      {
        title: 'Severity',
        text: true,
        value: ({ severity, state }) => ({ text: severity, tone: state === 'open' ? TONES[severity] : 'quiet' }),
      },
      { title: 'State', text: true, value: stateOf },
      {
        title: 'Scope',
        text: true,
        value: ({ scope, affected }) => (affected.length > 1 ? affected.join(', ') : scope),
      },
      { title: 'For', value: ({ openedAt }) => roughly(Date.now() - openedAt) },
      { title: 'Says', text: true, wide: true, value: ({ text }) => text },
    ],
    ({ id }) => id,
    ({ lastAction }) => (lastAction === null ? null : { text: lastAction, tone: 'busy' }),
  );

  draw(incidents: readonly IncidentStatus[]): void {
    byId('incidents-card').hidden = incidents.length === 0;
    this.#table.draw(incidents);
  }
}

function stateOf({ state, acknowledged, silenced, explains }: IncidentStatus): string {
  const marks = [
    state === 'open' ? 'open' : 'no longer the case',
    ...(acknowledged ? ['acknowledged'] : []),
    ...(silenced ? ['silenced'] : []),
    ...(explains > 0 ? [`explains ${explains} more`] : []),
  ];
  return marks.join(', ');
}
