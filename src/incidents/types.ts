/**
 * What an incident is, and what other parts may tell and ask. An incident is an episode in which a rule holds for a scope.
 * Times are ms since the epoch.
 */

/** Every kind of incident. Recovery has one strategy for each, which the compiler checks. */
export const INCIDENT_TYPES = [
  'discord-outage', // Discord refuses connections, or many shards lost theirs at once
  'guild-drop', // guilds are unavailable: an outage in a part of Discord
  'cluster-fatal', // a cause that no restart cures: token, intents, sharding
  'cluster-crash', // a process died and is being started again; one that goes on dying becomes a crash loop
  'crash-loop',
  'cluster-hung',
  'shard-stuck', // says it is connected, but hears nothing (zombie, deaf), or does not come back
  'shard-disconnects',
  'event-loop-lag',
  'memory-pressure',
  'error-rate',
  'slow-responses',
  'database-down', // does not answer, or takes no writes
  'pool-exhausted',
  'deferred-writes-stuck',
  'redis-down',
  'identify-budget-low',
  'rest-guard-down',
  'rest-429-storm',
  'invalid-requests', // Discord's ban for refused calls is near, or there
  'rest-unauthorized',
  'disk-low',
  'health-check', // one of the bot's own, or of the config's
  'backup-failed',
  'maintenance-failed',
  'deploy-failed',
  'capacity-limit',
  'custom', // a rule of the config
] as const;

export type IncidentType = (typeof INCIDENT_TYPES)[number];

/** What an incident is about. `postgres` are all database shards together. */
export type Scope =
  | 'bot'
  | 'host'
  | 'supervisor'
  | 'rest'
  | 'redis'
  | 'postgres'
  | `cluster:${number}`
  | `shard:${number}`
  | `db:${number}`;

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * open: the condition holds; mitigated: it does not, but not yet for long enough to be sure; resolved: over. One that
 * comes back soon after is the same incident, opened again.
 */
export type IncidentState = 'open' | 'mitigated' | 'resolved';

export type TimelineKind =
  | 'opened'
  | 'escalated'
  | 'eased' // severity went down
  | 'spread' // more scopes
  | 'mitigated'
  | 'returned' // held again before it was resolved
  | 'resolved'
  | 'reopened'
  | 'acknowledged'
  | 'silenced'
  | 'merged' // part of another incident from now on
  | 'explained' // another incident is the cause
  | 'on-its-own' // the cause is gone, this is not
  | 'action' // recovery did something
  | 'note'
  | 'notified';

export interface TimelineEntry {
  at: number;
  kind: TimelineKind;
  /** One sentence. */
  text: string;
}

/** A figure that shows an incident, for reports: a query of the metrics. */
export interface Evidence {
  /** As in `botctl metrics NAME`. */
  metric: string;
  stat?: string;
  labels?: Readonly<Record<string, string>>;
}

export interface Incident {
  /** Short, unique, sorts by time: `20261125-1`. */
  id: string;
  type: IncidentType;
  /** Which rule: the type, for `custom` and `health-check` with the name behind it: `custom/queue-length`. */
  rule: string;
  /** Whose strategy recovery follows: of a custom rule what the config says, else the type itself. */
  strategy: IncidentType;
  /** One incident per rule and scope; of many scopes with one cause, what they have in common. */
  scope: Scope;
  /** All that it concerns, `scope` itself if that is all. */
  affected: readonly Scope[];
  severity: Severity;
  state: IncidentState;
  /** Did the condition hold when it was last looked at? By it recovery sees whether a step has helped. */
  holds: boolean;
  /** What is wrong at the moment, one sentence with the figures. */
  text: string;
  openedAt: number;
  updatedAt: number;
  /** When the condition was last seen to hold. */
  heldAt: number;
  /** Since when it has not held any more; null: it does. */
  mitigatedAt: number | null;
  /** When the condition went away, not when that was certain. */
  resolvedAt: number | null;
  acknowledged: { at: number; by: string } | null;
  /** Nobody is told of it until then. */
  silencedUntil: number | null;
  /** Id of the incident that explains this one: nobody is told, and nothing is repaired here. */
  parent: string | null;
  /** How often it came back. */
  reopened: number;
  /** The latest entries, and the first. */
  timeline: readonly TimelineEntry[];
  /** Entries that were dropped from the middle of the timeline. */
  timelineDropped: number;
  evidence: readonly Evidence[];
}

/**
 * A fact that is no metric. It holds until it is told that it does not; said again it changes nothing but its text.
 * For what only happens, `forMs` says how long it counts.
 */
export interface Signal {
  type: IncidentType;
  scope: Scope;
  holds: boolean;
  /** One sentence, without secrets. */
  text: string;
  /** Absent: that of the type. */
  severity?: Severity;
  /** Tells several facts of one type and scope apart: becomes `TYPE/NAME` as the rule. */
  name?: string;
  /** It ends by itself after so long, ms. */
  forMs?: number;
}

/** Something to tell the operator that is no incident: a rollout that is over, the weekly report. */
export interface Announcement {
  title: string;
  text: string;
  severity: Severity;
}

export type IncidentEventType =
  | 'incident.opened'
  | 'incident.escalated'
  | 'incident.changed' // text, scopes, lower severity, parent
  | 'incident.mitigated'
  | 'incident.resolved'
  | 'incident.reopened'
  | 'incident.acknowledged'
  | 'incident.silenced'
  | 'incident.noted';

export interface IncidentEvent {
  type: IncidentEventType;
  at: number;
  incident: Incident;
}

export type IncidentListener = (event: IncidentEvent) => void;

/** What other parts see of the incidents. None of it throws, and none of it waits. */
export interface IncidentDesk {
  /** Looked at at once, not only in the next round. */
  signal(signal: Signal): void;
  /** Those that are not resolved, the most severe and oldest first; suppressed ones (`parent`) too. */
  openIncidents(): readonly Incident[];
  /** Writes on the timeline. An id that is not known changes nothing. */
  note(id: string, entry: { kind: 'action' | 'note'; text: string }): void;
  /** @returns stops listening */
  onEvent(listener: IncidentListener): () => void;
  /** Tells it through the notifiers, by its severity. */
  announce(announcement: Announcement): void;
}
