import type { AgentToSupervisor } from '../../ipc/messages';
import type { Clock } from '../../clock';
import type { ClusterPlan } from '../plan';
import type { SavedSessions } from '../session-store';
import type { ClusterDeps } from './cluster-deps';
import { readLeft, type Incarnation } from './incarnation';

type Parked = Extract<AgentToSupervisor, { t: 'parked' }>;

/** After parking, a bot has this share of the stop deadline left for its own SIGTERM handler. */
const TERM_SHARE = 0.25;
/** Even under a forced deadline the kernel needs a moment to end a process, ms. */
const KILL_WAIT_MS = 5_000;
/** Handlers and REST calls that run when the shards are closed may finish within this time, ms. */
const DRAIN_MS = 5_000;
/** A predecessor that is done sends itself SIGTERM; beyond its drain time and this, ms, it is killed. */
const RETIRE_MARGIN_MS = 8_000;

/** How a cluster's processes end, so that the next one can resume. */
export class Ending {
  constructor(
    private readonly plan: ClusterPlan,
    private readonly deps: ClusterDeps,
  ) {}

  /** Sessions and caches are saved (`park`), then SIGTERM, then SIGKILL when the stop deadline is over. */
  async end(run: Incarnation, park: boolean): Promise<void> {
    const { clock, settings } = this.deps;
    const deadline = clock.now() + settings.stopTimeoutMs;
    if (park && run.link !== null && run.hooked === true) {
      await this.#park(run, settings.stopTimeoutMs * (1 - TERM_SHARE));
    }
    run.process.kill('SIGTERM');
    await orAfter(clock, run.process.exited, deadline - clock.now());
    run.process.kill('SIGKILL');
    await orAfter(clock, run.process.exited, KILL_WAIT_MS);
  }

  /** Waits for the end of a process that has given all away and may drain so long, ms. */
  async retire(predecessor: Incarnation, drainMs: number): Promise<void> {
    await orAfter(this.deps.clock, predecessor.ended, drainMs + RETIRE_MARGIN_MS);
    predecessor.process.kill('SIGKILL');
    await predecessor.ended;
  }

  /**
   * Saves what a process left by itself: it ended on its own terms (grace time, a signal by hand), or was killed, and its
   * sessions are there; or they are those that nobody could take from it.
   */
  collectLeft(run: Incarnation): void {
    const left = readLeft(run.dir);
    if (left !== null) this.#save(left);
  }

  async #park(run: Incarnation, timeoutMs: number): Promise<void> {
    const parked = new Promise<Parked>((resolve) => (run.onParked = resolve));
    run.link?.send({ t: 'park', drainMs: Math.min(DRAIN_MS, timeoutMs / 2), snapshot: true });
    const { clock, totalShards, emit } = this.deps;
    const frame = await orAfter(clock, Promise.race([parked, run.process.exited.then(() => null)]), timeoutMs);
    if (frame === null) return;
    const { sessions, snapshot, tookMs } = frame;
    const { id: cluster, shardIds } = this.plan;
    emit({ type: 'cluster.parked', cluster, sessions: sessions.length, snapshot: snapshot !== null, tookMs });
    run.hasParked = true;
    if (snapshot === null) return;
    this.#save({ totalShards, shardIds, sessions, snapshot, form: 'snapshot', savedAt: clock.now() });
  }

  #save(saved: SavedSessions): void {
    if (saved.sessions.length === 0 || saved.totalShards !== this.deps.totalShards) return;
    try {
      this.deps.sessions.save(saved);
    } catch (error) {
      const text = `sessions could not be saved (${(error as Error).message}); the next start identifies`;
      this.deps.emit({ type: 'cluster.notice', cluster: this.plan.id, code: 'snapshot-failed', text });
    }
  }
}

/** What the promise resolves to; null when the time (ms) is over first. */
async function orAfter<T>(clock: Clock, promise: Promise<T>, ms: number): Promise<T | null> {
  let cancel = (): void => undefined;
  const timeout = new Promise<null>((resolve) => {
    cancel = clock.after(ms, () => resolve(null));
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    cancel();
  }
}
