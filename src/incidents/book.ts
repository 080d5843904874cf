import { isMoreSevere, type Draft } from './findings';
import { scopesText } from './scopes';
import { withEntry } from './timeline';
import type { Incident, IncidentEvent, IncidentEventType, IncidentListener, TimelineKind } from './types';

export interface BookOptions {
  /** A short id that is unique and sorts by time. */
  makeId: (now: number) => string;
  emit: IncidentListener;
}

/** Resolved ones that are remembered. */
const MAX_PAST = 200;

/** All incidents that matter now, and every change that one can go through. Whoever wants to know is told of each. */
export class IncidentBook {
  readonly #open = new Map<string, Incident>();
  readonly #past = new Map<string, Incident>();

  constructor(private readonly options: BookOptions) {}

  /** Takes in what an earlier supervisor knew. */
  restore(incidents: readonly Incident[]): void {
    for (const incident of incidents) this.#put(incident);
  }

  /** Oldest first. */
  get unresolved(): readonly Incident[] {
    return [...this.#open.values()];
  }

  /** Resolved ones, the latest last. */
  get past(): readonly Incident[] {
    return [...this.#past.values()];
  }

  get(id: string): Incident | null {
    return this.#open.get(id) ?? this.#past.get(id) ?? null;
  }

  open(draft: Draft, now: number, parent: Incident | null): Incident {
    const { type, rule, strategy, scope, affected, severity, text, evidence } = draft;
    const incident: Incident = {
      id: this.options.makeId(now),
      type,
      rule,
      strategy,
      scope,
      affected,
      severity,
      state: 'open',
      holds: true,
      text,
      openedAt: now,
      updatedAt: now,
      heldAt: now,
      mitigatedAt: null,
      resolvedAt: null,
      acknowledged: null,
      silencedUntil: null,
      parent: parent?.id ?? null,
      reopened: 0,
      timeline: [],
      timelineDropped: 0,
      evidence,
    };
    const entries: [TimelineKind, string][] = [['opened', text]];
    if (parent !== null) entries.push(['explained', `follows from ${parent.rule} (${parent.id})`]);
    return this.#change(incident, 'incident.opened', now, {}, entries);
  }

  /** What is the case now. Tells only what differs. */
  update(incident: Incident, draft: Draft, now: number): Incident {
    const { type, rule, strategy, scope, affected, severity, text, evidence } = draft;
    const entries: [TimelineKind, string][] = [];
    const returns = incident.state === 'mitigated';
    const escalates = isMoreSevere(severity, incident.severity) || type !== incident.type;
    if (returns) entries.push(['returned', text]);
    if (escalates) {
      const what = type === incident.type ? '' : `has become ${type}, `;
      entries.push(['escalated', `${what}${severity}: ${text}`]);
    } else if (severity !== incident.severity) entries.push(['eased', `${severity}: ${text}`]);
    const more = affected.filter((one) => !incident.affected.includes(one));
    if (more.length > 0) entries.push(['spread', `also ${scopesText(more)}`]);
    const found = { type, rule, strategy, scope, affected, severity, text, evidence };
    const patch = { ...found, state: 'open', holds: true, heldAt: now, mitigatedAt: null } as const;
    const event = escalates ? 'incident.escalated' : 'incident.changed';
    if (entries.length > 0) return this.#change(incident, event, now, patch, entries);
    // A figure that moved is no news.
    return this.#put({ ...incident, ...patch });
  }

  reopen(incident: Incident, draft: Draft, now: number, parent: Incident | null): Incident {
    const { severity, text, affected, scope } = draft;
    const patch = {
      severity,
      text,
      affected,
      scope,
      state: 'open',
      holds: true,
      heldAt: now,
      mitigatedAt: null,
      resolvedAt: null,
      acknowledged: null,
      parent: parent?.id ?? null,
      reopened: incident.reopened + 1,
    } as const;
    return this.#change(incident, 'incident.reopened', now, patch, [['reopened', text]]);
  }

  mitigate(incident: Incident, now: number): Incident {
    const patch = { state: 'mitigated', holds: false, mitigatedAt: now } as const;
    return this.#change(incident, 'incident.mitigated', now, patch, [['mitigated', 'no longer the case']]);
  }

  /** @param at when it went away */
  resolve(incident: Incident, at: number, now: number, text: string): Incident {
    const patch = { state: 'resolved', holds: false, resolvedAt: at, mitigatedAt: at } as const;
    return this.#change(incident, 'incident.resolved', now, patch, [['resolved', text]]);
  }

  /** It is part of another incident from now on. */
  merge(incident: Incident, into: Incident, now: number): Incident {
    const patch = { parent: into.id, state: 'resolved', holds: false, resolvedAt: now } as const;
    return this.#change(incident, 'incident.resolved', now, patch, [['merged', `is part of ${into.id} now`]]);
  }

  explain(incident: Incident, cause: Incident, now: number): Incident {
    const entry = `follows from ${cause.rule} (${cause.id})`;
    return this.#change(incident, 'incident.changed', now, { parent: cause.id }, [['explained', entry]]);
  }

  /** Its cause is gone, it is not: now it counts. */
  stand(incident: Incident, now: number): Incident {
    const entry = 'what explained it is over; this is not';
    return this.#change(incident, 'incident.opened', now, { parent: null }, [['on-its-own', entry]]);
  }

  acknowledge(incident: Incident, by: string, now: number): Incident {
    if (incident.acknowledged !== null) return incident;
    const patch = { acknowledged: { at: now, by } };
    return this.#change(incident, 'incident.acknowledged', now, patch, [['acknowledged', `by ${by}`]]);
  }

  silence(incident: Incident, until: number, by: string, now: number): Incident {
    const entry = until <= now ? `silence ended by ${by}` : `until ${new Date(until).toISOString()}, by ${by}`;
    const patch = { silencedUntil: until <= now ? null : until };
    return this.#change(incident, 'incident.silenced', now, patch, [['silenced', entry]]);
  }

  note(incident: Incident, kind: TimelineKind, text: string, now: number): Incident {
    return this.#change(incident, 'incident.noted', now, {}, [[kind, text]]);
  }

  #change(
    before: Incident,
    type: IncidentEventType,
    at: number,
    patch: Partial<Incident>,
    entries: readonly [TimelineKind, string][],
  ): Incident {
    let incident: Incident = { ...before, ...patch, updatedAt: at };
    for (const [kind, text] of entries) incident = { ...incident, ...withEntry(incident, { at, kind, text }) };
    this.#put(incident);
    this.options.emit({ type, at, incident } satisfies IncidentEvent);
    return incident;
  }

  #put(incident: Incident): Incident {
    this.#open.delete(incident.id);
    this.#past.delete(incident.id);
    if (incident.state !== 'resolved') this.#open.set(incident.id, incident);
    else this.#past.set(incident.id, incident);
    for (const id of this.#past.keys()) {
      if (this.#past.size <= MAX_PAST) break;
      this.#past.delete(id);
    }
    return incident;
  }
}
