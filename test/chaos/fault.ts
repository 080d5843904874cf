import type { IncidentType } from '../../src/incidents';
import type { Stage } from './stage';

/** Something that goes wrong. Durations in ms. */
export interface Fault {
  name: string;
  /** What it is expected to be found as; null: what is absorbed without one, as it belongs to a normal day. */
  incident: IncidentType | null;
  /** Also right, beside `incident`: what may be found first, or after it, of the same cause. */
  also?: readonly IncidentType[];
  /** So long it takes until anybody could see it: a missed heartbeat, the time-out for a hung process. */
  visibleAfterMs: number;
  /** It lasts so long; then the world puts it right, where botctl cannot. */
  lastsMs: number;
  /** Its own time to be well again after that. */
  recoversMs: number;
  /** IDENTIFYs that it may cost at most. */
  identifies: number;
  /** Events that cannot be saved: those that a dying process had in its hands. */
  mayLose: boolean;
  /** What is against trying it in a pair: it ends what the other one needs. */
  alone?: boolean;
  /** Nothing comes from Discord meanwhile. */
  endsTraffic?: boolean;
  /** It is seen only by what events have the bot do. */
  needsTraffic?: boolean;
  /** Memory is judged by its growth: this cluster must have run for a while. */
  settledCluster?: number;
  /** Does the harm; the function that it returns undoes what botctl cannot. */
  inject(stage: Stage): Promise<() => Promise<void> | void>;
}
