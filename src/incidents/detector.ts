import type { IncidentBook } from './book';
import { explains, rankOf } from './causes';
import { draftOf, fold, type Draft } from './findings';
import type { Rule } from './rule';
import { contains } from './scopes';
import { SteadyTime } from './steady-time';
import type { Incident, IncidentType, Scope } from './types';
import type { Window } from './window';

export interface DetectorOptions {
  rules: readonly Rule[];
  book: IncidentBook;
  /** How often it looks, ms. */
  intervalMs: number;
  /** One that comes back within this time is the same incident, ms. */
  reopenMs: number;
}

/** A type that an incident turns into when it gets worse. */
const BECOMES: Partial<Record<IncidentType, IncidentType>> = { 'cluster-crash': 'crash-loop' };
/** What began so long before its supposed cause has another one, ms. */
const BEFORE_CAUSE_MS = 5 * 60_000;
/** Each time it comes back, it must stay away longer: at most so many doublings. */
const MAX_DOUBLINGS = 3;
/** A look that comes later than so many intervals was not late: the clock was set, or the machine slept. */
const LATE_INTERVALS = 3;

/** Turns what the rules find into incidents: at most one per rule and scope, one per cause. */
export class Detector {
  readonly #options: DetectorOptions;
  readonly #steady: SteadyTime;
  /** Since when a finding holds, by rule and scope, in steady time. */
  readonly #since = new Map<string, number>();
  /** Since when an incident does not hold, in steady time. */
  readonly #away = new Map<string, number>();
  /** Clear times of the rules that incidents came from, ms. */
  readonly #clearMs = new Map<string, number>();
  /** Resolved by hand while they held: silent until they have gone away once. */
  readonly #dismissed = new Set<string>();

  constructor(options: DetectorOptions) {
    this.#options = options;
    this.#steady = new SteadyTime(options.intervalMs * LATE_INTERVALS);
  }

  /** An operator says that it is over. */
  dismiss({ rule, scope, affected }: Incident): void {
    for (const one of [scope, ...affected]) this.#dismissed.add(keyOf(rule, one));
  }

  /** @param mayClear false: too little is known yet to call anything over */
  step(window: Window, mayClear = true): void {
    const steady = this.#steady.advance(window.now);
    const drafts = this.#drafts(window, steady);
    const ready = drafts.filter(({ matured }) => matured).sort(causesFirst);
    const pending = drafts.filter(({ matured }) => !matured);
    const held = new Set<string>();
    for (const draft of ready) {
      const incident = this.#apply(draft, pending, window);
      if (incident === null) continue;
      held.add(incident.id);
      this.#away.delete(incident.id);
      this.#clearMs.set(incident.rule, draft.clearMs);
    }
    for (const incident of this.#options.book.unresolved) {
      if (!held.has(incident.id) && mayClear) this.#clear(incident, window.now, steady);
    }
  }

  /** What all rules find, folded, with the word whether it has held for long enough. */
  #drafts(window: Window, steady: number): Draft[] {
    const { rules, book } = this.#options;
    const seen = new Set<string>();
    const byRule = new Map<string, Draft[]>();
    for (const rule of rules) {
      const own = book.unresolved.filter(({ type }) => type === rule.type);
      const isOpen = (scope: Scope): boolean => own.some((one) => covers(one, scope));
      for (const finding of rule.find(window, isOpen)) {
        const draft = draftOf(rule, finding, false);
        const key = keyOf(draft.rule, draft.scope);
        seen.add(key);
        const since = this.#since.get(key) ?? steady;
        this.#since.set(key, since);
        const known = own.some((one) => one.rule === draft.rule && covers(one, draft.scope));
        draft.matured = known || finding.sure === true || steady - since >= rule.forMs;
        byRule.set(draft.rule, [...(byRule.get(draft.rule) ?? []), draft]);
      }
    }
    for (const key of this.#since.keys()) if (!seen.has(key)) this.#since.delete(key);
    for (const key of this.#dismissed) if (!seen.has(key)) this.#dismissed.delete(key);
    return [...byRule].flatMap(([rule, drafts]) => {
      const wanted = drafts.filter(({ scope }) => !this.#dismissed.has(keyOf(rule, scope)));
      return fold(
        wanted,
        book.unresolved.filter((one) => one.rule === rule),
      );
    });
  }

  /** null: it is left for the next look. */
  #apply(draft: Draft, pending: readonly Draft[], window: Window): Incident | null {
    const { book } = this.#options;
    const { now } = window;
    const worse = book.unresolved.find((one) => one.type === BECOMES[draft.type] && contains(one.scope, draft.scope));
    if (worse !== undefined) return worse;
    const known = this.#find(draft);
    if (known !== null) {
      const updated = book.update(known, asWideAs(known, draft), now);
      this.#mergeOthers(updated, now);
      return this.#relate(updated, draft, window);
    }
    // What may explain it needs a moment more to be sure of: then nobody is told twice.
    if (pending.some((one) => explains(one, draft, window.bot))) return null;
    const cause = this.#causeOf(draft, null, window);
    const former = this.#former(draft, now);
    return former === null ? book.open(draft, now, cause) : book.reopen(former, draft, now, cause);
  }

  /** The incident that a draft belongs to: its own, one that it widens, or one that turns into it. */
  #find({ rule, type, scope }: Draft): Incident | null {
    const { unresolved } = this.#options.book;
    const same = unresolved.filter((one) => one.rule === rule);
    const own = same.find((one) => one.scope === scope) ?? same.find((one) => contains(scope, one.scope));
    if (own !== undefined) return own;
    const milder = unresolved.filter((one) => BECOMES[one.type] === type);
    return milder.find((one) => covers(one, scope) || contains(scope, one.scope)) ?? null;
  }

  #mergeOthers(incident: Incident, now: number): void {
    for (const other of this.#options.book.unresolved) {
      if (other.id === incident.id || other.rule !== incident.rule) continue;
      if (contains(incident.scope, other.scope)) this.#options.book.merge(other, incident, now);
    }
  }

  /** Puts it under its cause, or takes it out when the cause is gone. */
  #relate(incident: Incident, draft: Draft, window: Window): Incident {
    const { book } = this.#options;
    const cause = this.#causeOf(draft, incident, window);
    if (cause === null) return incident.parent === null ? incident : book.stand(incident, window.now);
    if (cause.id === incident.parent) return incident;
    return book.explain(incident, cause, window.now);
  }

  /** The incident at the root of what explains a draft. One that is over explains for a while what looks back. */
  #causeOf(draft: Draft, incident: Incident | null, { now, bot }: Window): Incident | null {
    const { book } = this.#options;
    const begun = incident?.openedAt ?? now;
    const recent = book.past.filter(({ resolvedAt, state }) => {
      return state === 'resolved' && resolvedAt !== null && now - resolvedAt <= draft.windowMs + draft.clearMs;
    });
    const cause = [...book.unresolved, ...recent]
      .filter((one) => one.id !== incident?.id && one.openedAt - begun <= BEFORE_CAUSE_MS)
      .find((one) => explains(one, draft, bot));
    return cause === undefined ? null : this.#root(cause);
  }

  #root(incident: Incident): Incident {
    const parent = incident.parent === null ? null : this.#options.book.get(incident.parent);
    return parent === null || parent.id === incident.id ? incident : this.#root(parent);
  }

  /** The same one, if it was over only a short while ago. */
  #former({ rule, scope }: Draft, now: number): Incident | null {
    const { book, reopenMs } = this.#options;
    const isMerged = ({ timeline }: Incident): boolean => timeline.at(-1)?.kind === 'merged';
    const candidates = book.past.filter((one) => one.rule === rule && one.scope === scope && !isMerged(one));
    const last = candidates.at(-1);
    return last !== undefined && now - (last.resolvedAt ?? 0) <= reopenMs ? last : null;
  }

  #clear(incident: Incident, now: number, steady: number): void {
    const { book } = this.#options;
    const since = this.#away.get(incident.id);
    const mitigated = incident.state === 'mitigated' ? incident : book.mitigate(incident, now);
    if (since === undefined) this.#away.set(incident.id, steady);
    const clearMs = (this.#clearMs.get(incident.rule) ?? this.#ruleClear(incident)) * doubled(incident.reopened);
    if (steady - (since ?? steady) < clearMs) return;
    book.resolve(mitigated, mitigated.mitigatedAt ?? now, now, 'the condition has stayed away');
    this.#away.delete(incident.id);
  }

  /** Of an incident that an earlier supervisor found. */
  #ruleClear({ type }: Incident): number {
    return this.#options.rules.find((rule) => rule.type === type)?.clearMs ?? 0;
  }
}

/** One that turns into something worse stays as wide as it is. */
function asWideAs({ scope, affected }: Incident, draft: Draft): Draft {
  if (scope === draft.scope || !contains(scope, draft.scope)) return draft;
  return { ...draft, scope, affected: [...new Set([...affected, ...draft.affected])] };
}

/** Of one type, what Discord's REST API itself does comes before what the bot's answers do. */
function causesFirst(one: Draft, other: Draft): number {
  return rankOf(one.type) - rankOf(other.type) || Number(other.scope === 'rest') - Number(one.scope === 'rest');
}

function doubled(times: number): number {
  return 2 ** Math.min(times, MAX_DOUBLINGS);
}

function covers({ scope, affected }: Incident, asked: Scope): boolean {
  return contains(scope, asked) || affected.includes(asked);
}

function keyOf(rule: string, scope: Scope): string {
  return `${rule} ${scope}`;
}
