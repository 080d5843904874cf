import type { Incident, Scope } from '../incidents';
import { shardsTouched, type Fleet } from './fleet';
import type { ActionRecord } from './history';
import type { Step, Strategy, StrategyLimits } from './strategy';

export interface RecoverySettings {
  /** dry-run: everything is decided and written down, nothing is done. */
  mode: 'on' | 'dry-run' | 'off';
  /** Actions of all strategies together. */
  maxPerHour: number;
  /** Share of the shards that may be out of service at once for it; one cluster always may. */
  maxShards: number;
}

/** What is under way that must not be disturbed by a step which touches this; null: nothing. */
export type UnderWay = Readonly<Record<'shard' | 'cluster', string | null>>;

export interface Situation {
  now: number;
  incident: Pick<Incident, 'id' | 'strategy' | 'holds' | 'parent'>;
  /** Which of those that the incident concerns. */
  scope: Scope;
  strategy: Strategy;
  /** Of the strategy, or what the config says instead. */
  limits: StrategyLimits & { enabled: boolean };
  settings: RecoverySettings;
  records: readonly ActionRecord[];
  /** Discord itself is out. */
  outage: boolean;
  busy: UnderWay;
  fleet: Fleet;
}

export type Decision =
  /** Nothing is to be done, or it is not over yet. */
  | { kind: 'none' }
  /** Something would be done if it might: why not. `isOver`: nothing will be before long, a person is needed. */
  | { kind: 'held'; why: string; isOver: boolean }
  /** The condition has cleared after this step. */
  | { kind: 'helped'; record: ActionRecord }
  /** It has not cleared in time. */
  | { kind: 'not-helped'; record: ActionRecord }
  | { kind: 'take'; step: Step; index: number; dryRun: boolean };

const HOUR_MS = 60 * 60 * 1_000;
const NONE: Decision = { kind: 'none' };

/** What to do for one scope of one incident. Pure. */
export function decide(situation: Situation): Decision {
  const { now, incident, scope, strategy, limits, settings, records, fleet } = situation;
  const own = records.filter((record) => record.incident === incident.id && record.scope === scope);
  const last = own.findLast((record) => !record.dryRun);
  // Its cause is worked on.
  if (incident.parent !== null && last?.helped !== null) return NONE;
  if (strategy.kind === 'notify-only') return incident.holds ? held(strategy.summary) : NONE;
  if (last !== undefined && last.outcome === null) return NONE; // under way
  if (last !== undefined && last.helped === null) {
    if (!incident.holds) return { kind: 'helped', record: last };
    const step = strategy.steps[last.index];
    if (now - (last.endedAt ?? last.at) < (step?.verifyMs ?? 0)) return NONE;
    return { kind: 'not-helped', record: last };
  }
  if (!incident.holds) return NONE;
  if (!limits.enabled || settings.mode === 'off') return held('recovery is switched off for it');

  const index = nextIndex(strategy.steps.length, last, now);
  const step = index === null ? undefined : strategy.steps[index];
  if (index === null || step === undefined) return over('nothing has helped; it needs a person');
  const why = step.pointless?.({ scope, fleet }) ?? hindrance(situation, step);
  if (why !== null) return held(why);
  const spent = overspent(situation);
  if (spent !== null) return over(spent);
  const dryRun = settings.mode === 'dry-run';
  // Whether a step would have helped cannot be known: the first one is said, once.
  if (dryRun && own.some((record) => record.dryRun)) return NONE;
  return { kind: 'take', step, index, dryRun };
}

/** Why the step must not be taken now; null: it may. Pure. */
export function hindrance(situation: Situation, step: Step): string | null {
  const { now, incident, scope, limits, records, outage, busy } = situation;
  if (outage && step.needsDiscord) return 'Discord itself is out: nothing is done until it is back';
  const why = step.touches === 'nothing' ? null : busy[step.touches];
  if (why !== null) return `it waits: ${why}`;
  const same = records.filter(({ type, dryRun }) => type === incident.strategy && !dryRun);
  const before = same.findLast((record) => record.scope === scope && record.step === step.name);
  if (before !== undefined && now - before.at < limits.coolDownMs) {
    return `${step.name} was done ${ago(now - before.at)} ago; not again before ${ago(limits.coolDownMs)} are over`;
  }
  return blastRadius(situation, step);
}

/** Which budget of this hour is used up; null: none. Pure. */
function overspent({ now, incident, limits, settings, records }: Situation): string | null {
  const recent = records.filter(({ at, dryRun }) => !dryRun && now - at < HOUR_MS);
  if (recent.filter(({ type }) => type === incident.strategy).length >= limits.maxPerHour) {
    return `${limits.maxPerHour} actions of its kind in this hour are enough`;
  }
  return recent.length < settings.maxPerHour
    ? null
    : `${settings.maxPerHour} actions in this hour are enough (recovery.maxPerHour)`;
}

/** Why the step would take too much out of service at once; null: it would not. Pure. */
export function blastRadius(
  { scope, settings, records, fleet }: Pick<Situation, 'scope' | 'settings' | 'records' | 'fleet'>,
  step: Pick<Step, 'touches'>,
): string | null {
  const targets = shardsTouched(step.touches, scope, fleet);
  if (targets.length === 0) return null;
  const shards = fleet.clusters.flatMap((cluster) => cluster.shards);
  const largest = Math.max(0, ...fleet.clusters.map((cluster) => cluster.shards.length));
  const limit = Math.max(largest, Math.floor(shards.length * settings.maxShards));
  // What is acted on stays in the count until it is known whether that has helped.
  const acting = new Set(records.filter(isUnderWay).flatMap((record) => shardsOf(record, fleet)));
  const out = new Set(shards.filter(({ ready }) => !ready).map(({ id }) => id));
  const withTargets = (set: ReadonlySet<number>): number => new Set([...set, ...targets]).size;
  const adds = targets.some((id) => !out.has(id));
  if (acting.size > 0 && withTargets(acting) > limit) {
    return `${acting.size} shards are worked on; of ${shards.length} it may be ${limit} at once`;
  }
  if (adds && out.size > 0 && withTargets(out) > limit) {
    return `${out.size} of ${shards.length} shards are not ready; with these it would be more than ${limit}`;
  }
  return null;
}

function isUnderWay({ outcome, helped, dryRun }: ActionRecord): boolean {
  return !dryRun && (outcome === null || helped === null);
}

/** A record does not say what its step touches; the scope says what it can have been at most. */
function shardsOf({ scope, step }: ActionRecord, fleet: Fleet): number[] {
  const touches = step === 'replace-cluster' ? 'cluster' : step === 'reconnect-shard' ? 'shard' : 'nothing';
  return shardsTouched(touches, scope, fleet);
}

/** The step that comes next; null: none is left. */
function nextIndex(count: number, last: ActionRecord | undefined, now: number): number | null {
  if (last === undefined) return 0;
  if (last.helped === false) return last.index + 1 < count ? last.index + 1 : null;
  // It had helped, and the condition is back: soon after that, more is needed.
  return now - last.at < HOUR_MS ? Math.min(last.index + 1, count - 1) : 0;
}

function held(why: string): Decision {
  return { kind: 'held', why, isOver: false };
}

function over(why: string): Decision {
  return { kind: 'held', why, isOver: true };
}

function ago(ms: number): string {
  return ms < 90_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
