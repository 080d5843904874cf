import type { Scope } from '../incidents';
import type { RecoveryActions, StepOutcome } from './actions';
import type { Fleet } from './fleet';

/** What a step is taken for: one of the scopes that an incident concerns. */
export interface StepTarget {
  scope: Scope;
  fleet: Fleet;
}

/** One thing to try. Done twice it does no harm. Durations in ms. */
export interface Step {
  /** As in `botctl recover` and on timelines: `replace-cluster`. */
  readonly name: string;
  /** One sentence in the imperative: `Reconnect the shard by RESUME`. */
  readonly does: string;
  /** What is out of service for a moment; counts against `recovery.maxShards`. */
  readonly touches: 'nothing' | 'shard' | 'cluster';
  /** Needs Discord's gateway, so it is not taken while Discord itself is out. */
  readonly needsDiscord: boolean;
  /** The condition may take so long to clear; then the next step is taken. */
  readonly verifyMs: number;
  /** Why it would be of no use as things are; null: it might be. */
  pointless?(target: StepTarget): string | null;
  /** Never rejects. */
  run(target: StepTarget, actions: RecoveryActions): Promise<StepOutcome>;
}

/** How often a strategy may act. */
export interface StrategyLimits {
  /** Between two times that the same step is taken for the same scope, ms. */
  readonly coolDownMs: number;
  /** Actions over all scopes. */
  readonly maxPerHour: number;
}

/** What recovery does about one type of incident: its steps in order, the next one when the last has not helped. */
export type Strategy =
  | ({ readonly kind: 'act'; readonly summary: string; readonly steps: readonly [Step, ...Step[]] } & StrategyLimits)
  /** Nothing can be done from here; why. */
  | { readonly kind: 'notify-only'; readonly summary: string };

export const MINUTE_MS = 60_000;
