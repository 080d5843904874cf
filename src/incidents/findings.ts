import type { Finding, Rule } from './rule';
import { ruleName } from './rule';
import { commonScope, compareScopes, contains, scopeKind } from './scopes';
import { SEVERITIES, type Evidence, type Incident, type IncidentType, type Scope, type Severity } from './types';

/** What there should be an incident of. */
export interface Draft {
  type: IncidentType;
  /** Name of the rule, as the incident carries it. */
  rule: string;
  strategy: IncidentType;
  scope: Scope;
  affected: readonly Scope[];
  severity: Severity;
  text: string;
  evidence: readonly Evidence[];
  /** Durations of the rule, ms. */
  clearMs: number;
  windowMs: number;
  /** It has held for as long as it must. */
  matured: boolean;
}

/** Scopes of one kind that fail together have one cause: so many, and they are one incident. */
const FOLD_AT = 3;
const FOLD_DATABASES_AT = 2;

export function draftOf(rule: Rule, finding: Finding, matured: boolean): Draft {
  return {
    type: rule.type,
    rule: ruleName({ type: rule.type, name: finding.name ?? rule.name }),
    strategy: rule.strategy ?? rule.type,
    scope: finding.scope,
    affected: [finding.scope],
    severity: finding.severity,
    text: finding.text,
    evidence: finding.evidence ?? [],
    clearMs: rule.clearMs,
    windowMs: rule.windowMs,
    matured,
  };
}

export function moreSevere(one: Severity, other: Severity): Severity {
  return SEVERITIES.indexOf(one) >= SEVERITIES.indexOf(other) ? one : other;
}

export function isMoreSevere(one: Severity, other: Severity): boolean {
  return SEVERITIES.indexOf(one) > SEVERITIES.indexOf(other);
}

/**
 * Drafts of one rule become one where they have one cause: many scopes of a kind, or a scope within another one. `open`:
 * the incidents of that rule; one that has become wide takes in what lies within it. Pure.
 */
export function fold(drafts: readonly Draft[], open: readonly Pick<Incident, 'scope'>[]): Draft[] {
  const byScope = new Map<Scope, Draft>();
  for (const draft of drafts) {
    const known = byScope.get(draft.scope);
    byScope.set(draft.scope, known === undefined ? draft : join([known, draft], draft.scope, draft.affected));
  }
  let left = [...byScope.values()].sort((a, b) => compareScopes(a.scope, b.scope));
  const folded: Draft[] = [];
  for (const wide of ['bot', 'postgres'] as const) {
    const within = left.filter(({ scope }) => scope !== wide && contains(wide, scope));
    const own = left.find(({ scope }) => scope === wide);
    const isWide = own !== undefined || open.some(({ scope }) => scope === wide) || mustFold(within);
    if (!isWide || (own === undefined && within.length === 0)) continue;
    const parts = own === undefined ? within : [own, ...within];
    const affected = within.length > 0 ? within.map(({ scope }) => scope) : [wide];
    folded.push(join(parts, wide, affected));
    left = left.filter((draft) => !parts.includes(draft));
  }
  return [...folded, ...left];
}

function mustFold(drafts: readonly Draft[]): boolean {
  const kinds = new Map<string, number>();
  for (const { scope, matured } of drafts) {
    if (matured) kinds.set(scopeKind(scope), (kinds.get(scopeKind(scope)) ?? 0) + 1);
  }
  return [...kinds].some(([kind, count]) => count >= (kind === 'db' ? FOLD_DATABASES_AT : FOLD_AT));
}

function join(parts: readonly Draft[], scope: Scope, affected: readonly Scope[]): Draft {
  const [first] = parts;
  if (first === undefined) throw new Error('nothing to join');
  const severity = parts.map((part) => part.severity).reduce(moreSevere);
  const lead = parts.find((part) => part.severity === severity) ?? first;
  const evidence = new Map(parts.flatMap((part) => part.evidence).map((one) => [JSON.stringify(one), one]));
  return {
    ...lead,
    scope,
    affected,
    severity,
    evidence: [...evidence.values()].slice(0, MAX_EVIDENCE),
    matured: parts.some(({ matured }) => matured),
  };
}

const MAX_EVIDENCE = 5;

/** Is it a scope that takes in others? */
export function isWide(scope: Scope): boolean {
  return scope === commonScope(scope) || scope === 'postgres';
}
