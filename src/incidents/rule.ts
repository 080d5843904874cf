import type { Evidence, IncidentType, Scope, Severity } from './types';
import type { Window } from './window';

/** A rule holds for this scope. */
export interface Finding {
  scope: Scope;
  severity: Severity;
  /** What is wrong, one sentence with the figures. */
  text: string;
  /** More precisely than by the rule's type: `TYPE/NAME` becomes the name of the rule. */
  name?: string;
  evidence?: readonly Evidence[];
  /** It need not hold for a while first: it is a fact, no figure. */
  sure?: true;
}

/** Looks at a window and says where something is wrong. Durations in ms. */
export interface Rule {
  readonly type: IncidentType;
  /** Of a custom rule: its own. */
  readonly name?: string;
  /** Whose strategy recovery follows, if not the type's own. */
  readonly strategy?: IncidentType;
  /** It must hold for so long. */
  readonly forMs: number;
  /** It must not hold for so long before it counts as over. */
  readonly clearMs: number;
  /** How far back it looks: for so long after its cause is gone, it may still hold because of it. */
  readonly windowMs: number;
  /** @param isOpen is there an incident of this rule already? Then the lower threshold counts. Pure. */
  find(window: Window, isOpen: (scope: Scope) => boolean): Finding[];
}

/** What can be set of every rule. Durations in ms. */
export interface RuleLimits {
  enabled: boolean;
  for: number;
  clear: number;
}

/** A threshold counts until the figure is this much below it: so that one at the edge does not flap. */
const HYSTERESIS = 0.8;

/** Is a figure above its threshold? Once there is an incident, until it is well below. */
export function isAbove(value: number, threshold: number, isOpen: boolean): boolean {
  return value > threshold * (isOpen ? HYSTERESIS : 1);
}

/** The name that an incident of this rule carries. */
export function ruleName({ type, name }: { type: IncidentType; name?: string | undefined }): string {
  return name === undefined ? type : `${type}/${name}`;
}
