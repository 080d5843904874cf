import type { Clock } from '../../clock';
import { GAP_UNKNOWN } from '../../ipc/messages';
import type { ClusterState } from '../../sharding/cluster/observed-cluster';
import type { HandoffStep, ReplaceOutcome } from '../../sharding/handoff/replace';
import type { MasterEvent } from '../../sharding/events';
import type { DeployEvent, RolloutEnd } from '../events';
import { compareReleases, type CanaryLimits, type WindowFacts } from './compare';
import { nextStep } from './decide';
import type { RolloutRecord } from './record';
import { isOver, moved, withCluster, type RolloutCluster, type RolloutState } from './state';
import { Window, type ReadTotals } from './window';

export interface FleetCluster {
  id: number;
  state: ClusterState;
  /** Why it is not ready. */
  message: string | null;
}

/** The clusters, as far as a rollout goes. */
export interface Fleet {
  cluster(id: number): FleetCluster | null;
  /** Resolves when the cluster is settled on the one or the other. */
  replace(
    id: number,
    to: 'new' | 'old',
    options: { onStep: (step: HandoffStep) => void; signal: AbortSignal; readyTimeoutMs: number },
  ): Promise<ReplaceOutcome>;
  totals: ReadTotals;
  /** Why the health checks find fault with a cluster, or null. */
  unhealthy(id: number): string | null;
}

export interface RolloutOptions {
  state: RolloutState;
  fleet: Fleet;
  record: RolloutRecord;
  limits: CanaryLimits;
  /** Clusters of a batch that are replaced side by side on this machine. */
  atOnce: number;
  /** How the old release was before; null: not known. Used when no cluster runs it any more. */
  baseline: WindowFacts | null;
  clock: Clock;
  emit: (event: DeployEvent) => void;
  /** For people who look on; `share` of 1 that is done. */
  say: (text: string, share: number) => void;
}

/** Clusters are looked at this often while they are watched, ms. */
const LOOK_MS = 250;
/** Old and new are compared this often, ms; what is found twice in a row counts. */
const COMPARE_MS = 5_000;
/** A new cluster may be not quite ready for so long, ms: a shard that reconnects is nothing. */
const UNREADY_MS = 10_000;
/** What a new cluster caught up with, and how it warmed up, is not compared: so long at most, ms, and at most this share. */
const WARM_UP_MS = 10_000;
const WARM_UP_SHARE = 1 / 3;
/** A cluster that will not go back is tried so often. */
const RETURN_ATTEMPTS = 3;

const STEPS: Record<HandoffStep, string> = {
  booting: 'the new process boots',
  copying: 'its caches go over',
  connecting: 'the new process connects',
  cutting: 'its sessions go over',
  resuming: 'the new process resumes',
  draining: 'the old process finishes its work',
  stopping: 'stopping',
  starting: 'starting',
};

/**
 * Moves clusters from one release to another, a batch at a time, and looks whether the new one is as good as the old.
 * Where it stands is on disk before anything is done about it.
 */
export class Rollout {
  #state: RolloutState;
  readonly #options: RolloutOptions;
  /** Ends what moves clusters to the new release; what brings them back goes on. */
  readonly #forward = new AbortController();
  readonly #all = new AbortController();
  /** The old release, when it was last seen beside the new one. */
  #before: WindowFacts | null;
  /** The operator has asked for the end, or something was seen that ends it. */
  #halt: { reason: string; byOperator: boolean } | null = null;
  #suspended = false;
  #wake: () => void = () => undefined;

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#before = options.baseline;
  }

  get state(): RolloutState {
    return this.#state;
  }

  /** Resolves when it is over, or suspended for the next supervisor. */
  async run(): Promise<RolloutState> {
    while (!isOver(this.#state) && !this.#suspended) {
      await this.#step();
      this.#turnBack();
    }
    return this.#state;
  }

  pause(): void {
    this.#change({ paused: true });
    this.#options.emit({ type: 'deploy.paused', rollout: this.#state.id });
    this.#say('paused: no further cluster is replaced');
  }

  resume(): void {
    this.#change({ paused: false });
    this.#options.emit({ type: 'deploy.resumed', rollout: this.#state.id, afterRestart: false });
    this.#wake();
  }

  /** What was moved goes back. */
  abort(): void {
    this.#haltFor('an operator ended it', true);
  }

  /** The supervisor ends; the next one goes on. */
  suspend(): void {
    this.#suspended = true;
    this.#forward.abort();
    this.#all.abort();
    this.#wake();
  }

  /** What happens to the clusters meanwhile. */
  note(event: MasterEvent): void {
    if (!('cluster' in event) || this.#clusterOf(event.cluster)?.step !== 'replaced') return;
    switch (event.type) {
      case 'cluster.exited':
        if (!event.expected) this.#haltFor(`cluster ${event.cluster} died with the new release: ${event.reason}`);
        break;
      case 'cluster.hung':
        this.#haltFor(`cluster ${event.cluster} hangs with the new release: its event loop does not answer`);
        break;
      case 'cluster.fatal':
        this.#haltFor(`cluster ${event.cluster}: ${event.message}`);
        break;
      default:
        break;
    }
  }

  async #step(): Promise<void> {
    const step = nextStep(this.#state, this.#options.atOnce);
    switch (step.do) {
      case 'replace':
        await Promise.all(step.clusters.map((id) => this.#replace(id)));
        break;
      case 'watch':
        await this.#watch(step.ms);
        break;
      case 'next-batch':
        this.#change({ at: this.#state.at + 1, watched: false });
        break;
      case 'hold':
        await new Promise<void>((resolve) => (this.#wake = resolve));
        break;
      case 'return':
        await Promise.all(step.clusters.map((id) => this.#return(id)));
        break;
      case 'end':
        this.#end(step.end);
    }
  }

  async #replace(id: number): Promise<void> {
    this.#changeCluster(id, { step: 'replacing' });
    const outcome = await this.#move(id, 'new', this.#state.settings.readyTimeoutMs);
    if (this.#suspended) return;
    if (outcome.how === 'kept') {
      this.#changeCluster(id, { step: 'waiting' });
      this.#haltFor(`cluster ${id} was not taken over: ${outcome.reason ?? 'unknown'}`);
      return;
    }
    const identifies = (this.#clusterOf(id)?.identifies ?? 0) + outcome.identifies;
    const { how, gapMs, caughtUpMs } = outcome;
    this.#changeCluster(id, { step: 'replaced', how, gapMs, caughtUpMs, identifies });
    if (outcome.ready) return;
    const why = this.#options.fleet.cluster(id)?.message ?? outcome.reason ?? 'no reason is known';
    this.#haltFor(`cluster ${id} did not get ready with the new release: ${why}`);
  }

  async #move(id: number, to: 'new' | 'old', timeoutMs: number): Promise<ReplaceOutcome> {
    const { fleet, emit } = this.#options;
    const release = to === 'new' ? this.#state.to : (this.#clusterOf(id)?.from ?? this.#state.from);
    const stop = to === 'new' ? this.#forward.signal : this.#all.signal;
    const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
    const outcome = await fleet
      .replace(id, to, {
        onStep: (step) => this.#say(`cluster ${id}: ${STEPS[step]}`),
        ...{ signal, readyTimeoutMs: timeoutMs },
      })
      .catch((error: unknown) => failed(error));
    const { how, reason, gapMs, caughtUpMs, identifies, tookMs, ready } = outcome;
    emit({
      type: 'deploy.cluster',
      rollout: this.#state.id,
      cluster: id,
      release,
      how,
      reason,
      gapMs,
      caughtUpMs,
      identifies,
      tookMs,
    });
    const where = how === 'kept' ? 'stays as it is' : ready ? `on ${release}` : 'not ready';
    this.#say(`cluster ${id}: ${where}${describe(outcome)}`);
    return outcome;
  }

  /** Looks at the new clusters beside the old ones; what is not good ends the rollout. */
  async #watch(ms: number): Promise<void> {
    const { fleet, clock } = this.#options;
    const fresh = moved(this.#state);
    const old = this.#state.clusters.map(({ id }) => id).filter((id) => !fresh.includes(id));
    const begin = clock.now();
    const warmUpMs = Math.min(WARM_UP_MS, ms * WARM_UP_SHARE);
    let window: Window | null = null;
    const unreadySince = new Map<number, number>();
    let compareAt = begin + warmUpMs + COMPARE_MS;
    let doubt = false;
    if (ms > 0) this.#say(`watching ${names(fresh)} for ${Math.round(ms / 100) / 10} s`);
    for (;;) {
      const now = clock.now();
      const over = now - begin >= ms;
      for (const id of fresh) this.#look(id, unreadySince, now);
      if (this.#halt !== null || this.#suspended) return;
      if (window === null && now - begin >= warmUpMs) window = new Window(fleet.totals, [...fresh, ...old]);
      if (window !== null && ms > 0 && (now >= compareAt || over)) {
        compareAt = now + COMPARE_MS;
        const reason = this.#compare(window, fresh, old);
        if (reason !== null && (doubt || over)) {
          this.#haltFor(reason);
          return;
        }
        doubt = reason !== null;
      }
      if (over && unreadySince.size === 0) break;
      window?.observe();
      await this.#pause(LOOK_MS);
    }
    this.#change({ watched: true });
    const { id: rollout } = this.#state;
    this.#options.emit({ type: 'deploy.stable', rollout, clusters: fresh, watchedMs: ms });
  }

  #look(id: number, unreadySince: Map<number, number>, now: number): void {
    const { fleet } = this.#options;
    const { state = 'stopped', message = null } = fleet.cluster(id) ?? {};
    if (state === 'ready') {
      unreadySince.delete(id);
      const sick = fleet.unhealthy(id);
      if (sick !== null) this.#haltFor(`cluster ${id} is unhealthy with the new release: ${sick}`);
      return;
    }
    const since = unreadySince.get(id) ?? now;
    unreadySince.set(id, since);
    const down = state === 'backoff' || state === 'crash-loop' || state === 'fatal';
    if (!down && now - since < UNREADY_MS) return;
    this.#haltFor(`cluster ${id} is ${state} with the new release${message === null ? '' : `: ${message}`}`);
  }

  #compare(window: Window, fresh: readonly number[], old: readonly number[]): string | null {
    if (old.length > 0) this.#before = window.facts(old);
    return compareReleases(window.facts(fresh), this.#before, this.#options.limits);
  }

  async #return(id: number): Promise<void> {
    this.#changeCluster(id, { step: 'returning' });
    for (let attempt = 1; attempt <= RETURN_ATTEMPTS; attempt++) {
      const outcome = await this.#move(id, 'old', this.#state.settings.readyTimeoutMs);
      if (this.#suspended) return;
      if (outcome.how !== 'kept' && outcome.ready) break;
      if (attempt < RETURN_ATTEMPTS) continue;
      this.#changeCluster(id, { step: 'returned' });
      const state = this.#options.fleet.cluster(id)?.state ?? 'gone';
      this.#change({ reason: `${this.#state.reason ?? ''}; cluster ${id} is ${state} on the old release, too` });
      return;
    }
    this.#changeCluster(id, { step: 'returned' });
  }

  #haltFor(reason: string, byOperator = false): void {
    if (this.#halt !== null || this.#state.phase !== 'running') return;
    this.#halt = { reason, byOperator };
    // Clusters of the batch that have not been cut over yet stay where they are.
    this.#forward.abort();
    this.#wake();
  }

  /** If something has ended the way forward. */
  #turnBack(): void {
    if (this.#halt === null || this.#state.phase !== 'running' || this.#suspended) return;
    const { reason, byOperator } = this.#halt;
    const { id: rollout, from, to, settings } = this.#state;
    const nothingMoved = this.#state.clusters.every(({ step }) => step === 'waiting');
    const rollsBack = byOperator || nothingMoved || settings.rollBack;
    this.#options.emit({ type: 'deploy.halted', rollout, from, to, reason, rollsBack });
    this.#say(`halted: ${reason}`);
    this.#change({ reason, byOperator, paused: false, phase: rollsBack ? 'rolling-back' : 'halted' });
    if (!rollsBack) this.#end('halted');
  }

  #end(end: RolloutEnd): void {
    const { clock, record, emit, fleet } = this.#options;
    const back = end === 'rolled-back';
    const lost = back && this.#state.clusters.some(({ id, step }) => step === 'returned' && !isUp(fleet.cluster(id)));
    const phase = lost ? 'failed' : end;
    this.#change({ phase, endedAt: clock.now() });
    record.close(this.#state);
    const { id: rollout, kind, from, to, reason, byOperator, startedAt } = this.#state;
    const tookMs = clock.now() - startedAt;
    emit({ type: 'deploy.ended', rollout, kind, from, to, end: phase, reason, byOperator, tookMs });
  }

  #clusterOf(id: number): RolloutCluster | undefined {
    return this.#state.clusters.find((cluster) => cluster.id === id);
  }

  #changeCluster(id: number, change: Partial<RolloutCluster>): void {
    this.#become(withCluster(this.#state, id, change));
  }

  #change(change: Partial<RolloutState>): void {
    this.#become({ ...this.#state, ...change });
  }

  #become(state: RolloutState): void {
    this.#state = state;
    try {
      this.#options.record.write(state);
    } catch (error) {
      // It goes on; only a supervisor that is killed now would go on from an earlier point.
      this.#say(`where the rollout stands cannot be written to disk: ${(error as Error).message}`);
    }
  }

  #say(text: string): void {
    const { clusters } = this.#state;
    this.#options.say(text, moved(this.#state).length / Math.max(1, clusters.length));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

function isUp(cluster: FleetCluster | null): boolean {
  return cluster?.state === 'ready' || cluster?.state === 'degraded' || cluster?.state === 'starting';
}

function describe({ how, reason, gapMs, caughtUpMs, identifies }: ReplaceOutcome): string {
  const facts = [
    how === 'handoff' ? 'by handoff' : how === 'restart' ? 'by restart' : null,
    gapMs === null ? null : `gap ${Math.round(gapMs)} ms`,
    caughtUpMs === null ? null : `caught up after ${Math.round(caughtUpMs)} ms`,
    identifies === 0 ? null : `${identifies} identifies`,
    reason,
  ];
  const known = facts.filter((fact) => fact !== null);
  return known.length === 0 ? '' : ` (${known.join(', ')})`;
}

function names(clusters: readonly number[]): string {
  return `${clusters.length === 1 ? 'cluster' : 'clusters'} ${clusters.join(', ')}`;
}

/** A replacement that threw: where the cluster is then, the next look says. */
function failed(error: unknown): ReplaceOutcome {
  const reason = error instanceof Error ? error.message : String(error);
  return { how: 'restart', reason, ready: false, identifies: 0, ...GAP_UNKNOWN, tookMs: 0, dropped: null };
}
