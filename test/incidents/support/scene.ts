import { IncidentBook } from '../../../src/incidents/book';
import { Detector } from '../../../src/incidents/detector';
import type { Finding, Rule } from '../../../src/incidents/rule';
import type { Incident, IncidentEvent, IncidentType, Scope, Severity } from '../../../src/incidents/types';
import type { BotFacts, Figures, Window } from '../../../src/incidents/window';

export const START = Date.UTC(2026, 0, 1);
export const INTERVAL = 10_000;

const NO_FIGURES: Figures = { figure: () => null, figures: () => [], latest: () => [] };

export function aWindow(over: Partial<Window> = {}): Window {
  return { now: START, metrics: NO_FIGURES, bot: aBot(), checks: [], occurrences: [], signals: [], ...over };
}

/** A bot that is well: shards 0 to 3 in cluster 0, 4 to 7 in cluster 1, and so on. */
export function aBot(over: Partial<BotFacts> = {}, clusters = 4): BotFacts {
  return {
    fatal: null,
    gate: { gate: 'passing', reason: null },
    identify: { budget: { total: 1_000, remaining: 900, reserve: 100, resetAt: START + 3_600_000 } },
    clusters: Array.from({ length: clusters }, (_, id) => aCluster(id)),
    shards: Array.from({ length: clusters * 4 }, (_, id) => aReadyShard(id, Math.floor(id / 4))),
    ...over,
  };
}

export function aReadyShard(id: number, cluster: number): BotFacts['shards'][number] {
  return { id, cluster, state: 'ready', guilds: 100, unavailableGuilds: 0 };
}

export function aCluster(id: number, over: Partial<BotFacts['clusters'][number]> = {}): BotFacts['clusters'][number] {
  return {
    id,
    state: 'ready',
    uptimeMs: 3_600_000,
    message: null,
    lastExit: null,
    sample: { rssBytes: 100e6, heapUsedBytes: 40e6, heapLimitBytes: 2e9 },
    ...over,
  };
}

export function aFinding(scope: Scope, over: Partial<Finding> = {}): Finding {
  return { scope, severity: 'warning', text: `${scope} is not well`, ...over };
}

/** Rules whose findings a test sets, looked at in turns of ten seconds. */
export class Scene {
  readonly events: IncidentEvent[] = [];
  readonly book: IncidentBook;
  readonly detector: Detector;
  readonly found = new Map<string, Finding[]>();
  now = START;
  #ids = 0;

  constructor(rules: Partial<Record<IncidentType, { forMs?: number; clearMs?: number; windowMs?: number }>>) {
    this.book = new IncidentBook({ makeId: () => `i${++this.#ids}`, emit: (event) => this.events.push(event) });
    const all = Object.entries(rules).map(([type, { forMs = 0, clearMs = 60_000, windowMs = 0 }]): Rule => {
      return { type: type as IncidentType, forMs, clearMs, windowMs, find: () => this.found.get(type) ?? [] };
    });
    this.detector = new Detector({ rules: all, book: this.book, intervalMs: INTERVAL, reopenMs: 600_000 });
  }

  /** From now on these findings hold. */
  set(type: IncidentType, ...findings: (Finding | Scope)[]): this {
    this.found.set(
      type,
      findings.map((finding) => (typeof finding === 'string' ? aFinding(finding) : finding)),
    );
    return this;
  }

  /** Looks so many times, ten seconds apart. */
  look(times = 1, window: Partial<Window> = {}): this {
    for (let turn = 0; turn < times; turn++) {
      this.detector.step(aWindow({ ...window, now: this.now }));
      this.now += INTERVAL;
    }
    return this;
  }

  /** What was told, without the ids: `opened error-rate bot`. Incidents that follow from others are in brackets. */
  get told(): string[] {
    return this.events
      .filter(({ type }) => /opened|escalated|resolved|reopened/.test(type))
      .map(({ type, incident: { rule, scope, parent } }) => {
        const text = `${type.slice('incident.'.length)} ${rule} ${scope}`;
        return parent === null ? text : `(${text})`;
      });
  }

  get open(): Incident[] {
    return [...this.book.unresolved];
  }

  only(): Incident {
    expect(this.open).toHaveLength(1);
    return this.open[0]!;
  }
}

export function severe(scope: Scope, severity: Severity): Finding {
  return aFinding(scope, { severity });
}
