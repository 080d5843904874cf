import type { Incident, IncidentEvent, Outcome } from '../../incidents';
import type { Metrics } from '../../metrics';

/** Incidents as metrics. */
export class IncidentMetrics {
  /** What was told: what is open no longer is told as 0. */
  readonly #seen = new Map<string, { type: string; severity: string }>();

  constructor(private readonly metrics: Metrics) {}

  onEvent({ type, incident }: IncidentEvent): void {
    if (type === 'incident.opened' || type === 'incident.reopened') {
      this.metrics.count('incidents_total', { type: incident.type });
    }
  }

  onOutcome({ target, error }: Outcome): void {
    this.metrics.count('incident_notifications_total', { target, outcome: error === null ? 'sent' : 'failed' });
  }

  /** Explained ones do not count: their cause does. */
  tell(open: readonly Incident[]): void {
    const counts = new Map<string, number>();
    for (const { type, severity, parent } of open) {
      if (parent !== null) continue;
      const key = `${type} ${severity}`;
      this.#seen.set(key, { type, severity });
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    this.metrics.set([
      ...[...this.#seen].map(([key, labels]) => ({
        name: 'incidents_open' as const,
        labels,
        value: counts.get(key) ?? 0,
      })),
      { name: 'incidents_explained', labels: {}, value: open.filter(({ parent }) => parent !== null).length },
    ]);
  }
}
