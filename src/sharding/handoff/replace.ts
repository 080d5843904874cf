import type { DroppedState, HandoffGap } from '../../ipc/messages';
import type { BotSpec } from '../bot-spec';

/** Where the replacement of a cluster's process stands; in this order, each at most once. */
export type HandoffStep =
  | 'booting' // the successor starts beside its predecessor, up to login()
  | 'copying' // the caches stream over while the predecessor goes on serving
  | 'connecting' // the successor opens its connections, up to HELLO
  | 'cutting' // the predecessor stops at an exact sequence: no event is dispatched from here on
  | 'resuming' // the successor resumes the sessions
  | 'draining' // events flow to the successor; running handlers of the predecessor finish
  | 'stopping' // by restart only: the process is stopped, its sessions and caches are saved
  | 'starting'; // by restart only: the new process starts and resumes what was saved

export interface ReplaceOptions {
  /** What the new process runs; absent: the same as now. On `kept` the cluster stays with its old one. */
  spec?: BotSpec;
  /** Stop first, then start: for a bot of which two processes cannot live side by side (a fixed port, a lock). */
  cold?: boolean;
  /** Asked for by hand, so that its identifies, if it takes any, may use the reserve. Default: true. */
  operator?: boolean;
  /** After a restart the cluster is waited for so long until it is ready, ms. Default: 120,000. */
  readyTimeoutMs?: number;
  /** Told as each step begins. */
  onStep?: (step: HandoffStep) => void;
  /** Gives up where that is possible without harm: until the cut, the predecessor goes on. */
  signal?: AbortSignal;
}

/** How a replacement went. `replace` resolves when the cluster is settled again, whatever happened. */
export interface ReplaceOutcome extends HandoffGap {
  /**
   * `handoff`: the successor serves; sessions and caches went over. `restart`: stopped and started again, since a handoff
   * was not possible. `kept`: the successor failed before the point of no return; the predecessor goes on as before.
   */
  how: 'handoff' | 'restart' | 'kept';
  /** One sentence: why not by handoff, or why kept. null after a handoff. */
  reason: string | null;
  /** True when all shards are ready at the end. */
  ready: boolean;
  /** IDENTIFYs that were spent on it. */
  identifies: number;
  tookMs: number;
  /** What could not go over. null: not known (no agent, or a restart). */
  dropped: DroppedState | null;
}
