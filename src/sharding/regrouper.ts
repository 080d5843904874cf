import type { BotSpec } from './bot-spec';
import type { Clock } from '../clock';
import type { Cluster } from './cluster/cluster';
import type { ClusterSettings } from './cluster/cluster-deps';
import type { MasterEventListener } from './events';
import type { HandoffSettings, Served } from './handoff/handoff';
import { Regroup, type RegroupResult, type Taker } from './handoff/regroup';
import { regroupings, type Regrouping } from './handoff/regrouping';
import type { HandoffStep } from './handoff/replace';
import type { ClusterPlan, ShardPlan } from './plan';

export interface RegrouperDeps {
  /** What there is. */
  plan: () => { totalShards: number; clusters: readonly Cluster[] };
  newCluster: (plan: ClusterPlan, spec: BotSpec, totalShards: number) => Cluster;
  /** From now on these clusters are there in the place of those. */
  exchange: (old: readonly Cluster[], fresh: readonly Cluster[], totalShards: number) => void;
  /** False while processes may not be started. */
  mayStart: () => boolean;
  settings: ClusterSettings;
  clock: Clock;
  emit: MasterEventListener;
}

export interface RegroupingOptions {
  /** What the new clusters run. */
  spec: BotSpec;
  /** Stop first, then start. */
  cold: boolean;
  onStep: (part: Regrouping, step: HandoffStep) => void;
  /** So many shards of another number have their sessions. */
  onIdentified: (count: number) => void;
  /** What there is from here on, told before it is so: what the next supervisor has to start from. @throws Error */
  onLayout: (layout: ShardPlan) => void;
  /** Gives up where that is possible without harm. */
  signal: AbortSignal;
}

/** How one part of a regroup went. */
export interface RegroupOutcome {
  from: number[];
  to: number[];
  /** `kept`: the old clusters go on as before. */
  how: 'handoff' | 'restart' | 'kept';
  /** One sentence: why not by handoff, or why kept. null after a handoff. */
  reason: string | null;
  /** IDENTIFYs that were spent on it. */
  identifies: number;
  /** The longest time in which a shard's events were not dispatched, ms. null: not measured. */
  gapMs: number | null;
  /** After a change of the number of shards: events that no bot was told of. */
  missed: number;
  /** All new clusters are ready. */
  ready: boolean;
  tookMs: number;
}

/** A process that has given its shards away sends itself SIGTERM; beyond its drain time and this, ms, it is killed. */
const RETIRE_MS = 8_000;
/** And so much longer, ms, when it has to save what another one failed to take. */
const LEAVE_MS = 60_000;
/** An IDENTIFY of a new number of shards, with its guilds, takes no longer on average, ms. */
const IDENTIFY_MS = 10_000;

/**
 * Puts other clusters in the place of those that there are: the same shards grouped anew, part by part, or another number of
 * shards, all at once. By handoff where that is possible. What is done stays done when a later part fails.
 */
export class Regrouper {
  /** Clusters that are about to take shards from others. */
  readonly coming = new Set<Cluster>();
  readonly #ending = new AbortController();
  #running: Promise<void> | null = null;

  constructor(private readonly deps: RegrouperDeps) {}

  /** One at a time; never rejects. */
  async regroup(target: ShardPlan, options: RegroupingOptions): Promise<RegroupOutcome[]> {
    const outcomes: RegroupOutcome[] = [];
    this.#running = (async () => {
      for (const part of partsOf(this.deps.plan(), target)) {
        const outcome = await this.#regroup(part, target.totalShards, options);
        outcomes.push(outcome);
        if (outcome.how === 'kept') return;
      }
    })();
    await this.#running;
    this.#running = null;
    return outcomes;
  }

  /** Gives up what is under way, or, when it is too late for that, waits for its end. */
  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #regroup(part: Regrouping, totalShards: number, options: RegroupingOptions): Promise<RegroupOutcome> {
    const { cold, signal } = options;
    const { clock, mayStart } = this.deps;
    const old = this.deps.plan().clusters.filter(({ id }) => part.from.includes(id));
    const releases = await Promise.all(old.map((cluster) => cluster.claim()));
    const startedAt = clock.now();
    const outcome = (how: RegroupOutcome['how'], reason: string | null, served: Served[] = []): RegroupOutcome => {
      const { clusters } = this.deps.plan();
      const fresh = how === 'kept' ? [] : clusters.filter(({ id }) => part.to.some((plan) => plan.id === id));
      return {
        ...{ from: part.from, to: part.to.map(({ id }) => id), how, reason },
        gapMs: longestGap(served),
        missed: served.reduce((sum, { missed }) => sum + missed, 0),
        identifies: fresh.reduce((sum, { identifies }) => sum + identifies, 0),
        ready: how !== 'kept' && fresh.every(({ state }) => state === 'ready'),
        tookMs: clock.now() - startedAt,
      };
    };
    const mayGoOn = (): boolean => !signal.aborted && mayStart();
    try {
      if (!mayGoOn()) return outcome('kept', 'it was given up before it began');
      const obstacle = cold ? 'a restart was asked for' : firstObstacle(old);
      if (obstacle !== null) {
        await this.#regroupCold(old, part, totalShards, options);
        return outcome('restart', obstacle);
      }
      const result = await this.#handOver(old, part, totalShards, options);
      if (result.ok)
        return outcome(
          'handoff',
          null,
          result.served.filter((served) => served !== null),
        );
      if (!result.restart || !mayGoOn()) return outcome('kept', result.reason);
      await this.#regroupCold(old, part, totalShards, options);
      return outcome('restart', result.reason);
    } catch (error) {
      return outcome('kept', (error as Error).message);
    } finally {
      for (const release of releases) release();
    }
  }

  /** Processes of the new clusters take the shards over while those of the old ones serve. @throws Error: nothing is done */
  async #handOver(
    old: readonly Cluster[],
    part: Regrouping,
    totalShards: number,
    { spec, onStep, onIdentified, onLayout, signal }: RegroupingOptions,
  ): Promise<RegroupResult> {
    const { clock, emit, mayStart, newCluster } = this.deps;
    const { handoff: settings } = this.deps.settings;
    if (settings === null) throw new Error('handoffs are switched off');
    const isReshard = totalShards !== this.deps.plan().totalShards;
    const fresh = part.to.map((plan) => newCluster(plan, spec, totalShards));
    for (const cluster of fresh) this.coming.add(cluster);
    const abort = new AbortController();
    let tellOver = (): void => undefined;
    let identified = 0;
    const underWay = {
      abort,
      over: new Promise<void>((resolve) => (tellOver = resolve)),
      onIdentified: () => onIdentified(++identified),
    };
    const givers = old.flatMap((cluster) => {
      const incarnation = cluster.give(underWay);
      return incarnation === null ? [] : [{ incarnation, shardIds: cluster.shardIds }];
    });
    const end = async (): Promise<void> => {
      for (const cluster of old) cluster.kept();
      tellOver();
      await Promise.all(fresh.map((cluster) => cluster.notTaken()));
      for (const cluster of fresh) this.coming.delete(cluster);
    };
    let takers: Taker[];
    try {
      takers = fresh.map((cluster) => {
        const of = givers.filter(({ shardIds }) => isReshard || shardIds.some((id) => cluster.shardIds.includes(id)));
        const incarnations = of.map(({ incarnation }) => incarnation.id);
        const incarnation = cluster.take(incarnations, true, isReshard, underWay);
        return { incarnation, shardIds: cluster.shardIds, socketPath: cluster.socketOf(incarnation.id) };
      });
    } catch (error) {
      for (const cluster of fresh) cluster.kill();
      await end();
      throw new Error(`a new cluster could not be started: ${(error as Error).message}`, { cause: error });
    }
    const note = (step: HandoffStep): void => {
      for (const cluster of [...old, ...fresh]) cluster.note(step);
      emit({ type: 'clusters.regroup', from: part.from, to: part.to.map(({ id }) => id), step });
      onStep(part, step);
    };
    const laidOut = { isNew: false };
    const regroup = new Regroup({
      ...{ givers, takers, clock, onStep: note },
      reshard: isReshard ? totalShards : null,
      settings: isReshard ? withIdentifies(settings, part) : settings,
      onCut: () => {
        onLayout(this.#layoutAfter(part, totalShards));
        laidOut.isNew = true;
      },
    });
    const result = await regroup.run(AbortSignal.any([signal, abort.signal, this.#ending.signal]));
    if (!result.ok) {
      await end();
      if (laidOut.isNew) onLayout(this.#layout());
      return result;
    }
    for (const cluster of old) cluster.given();
    fresh.forEach((cluster, at) => {
      const served = result.served[at] ?? null;
      if (served !== null) cluster.taken(served);
    });
    this.#exchange(old, fresh, totalShards);
    tellOver();
    note('draining');
    const failed = fresh.filter((_, at) => (result.served[at] ?? null) === null);
    await Promise.all(failed.map((cluster) => cluster.notTaken()));
    const drainMs = settings.drainMs + (failed.length > 0 ? LEAVE_MS : RETIRE_MS);
    const uncut = new Set(result.uncut.map((at) => givers[at]?.incarnation));
    await Promise.all(old.map((cluster) => cluster.finished(drainMs, (run) => uncut.has(run))));
    this.#tellDissolved(old);
    for (const cluster of fresh) cluster.speak();
    for (const cluster of failed) if (mayStart()) cluster.start({ operator: true });
    await Promise.all(fresh.map((cluster) => cluster.settled()));
    return result;
  }

  /** Stops the old clusters, and starts the new ones with what they leave. */
  async #regroupCold(
    old: readonly Cluster[],
    part: Regrouping,
    totalShards: number,
    { spec, onStep, onLayout }: RegroupingOptions,
  ): Promise<void> {
    const { mayStart, newCluster } = this.deps;
    onLayout(this.#layoutAfter(part, totalShards));
    onStep(part, 'stopping');
    await Promise.all(old.map((cluster) => cluster.stop()));
    for (const cluster of old) cluster.given();
    const fresh = part.to.map((plan) => newCluster(plan, spec, totalShards));
    this.#exchange(old, fresh, totalShards);
    this.#tellDissolved(old);
    onStep(part, 'starting');
    for (const cluster of fresh) if (mayStart()) cluster.start({ operator: true });
    await Promise.all(fresh.map((cluster) => cluster.settled()));
  }

  #tellDissolved(old: readonly Cluster[]): void {
    const { clusters } = this.deps.plan();
    for (const { id } of old) {
      if (!clusters.some((cluster) => cluster.id === id)) this.deps.emit({ type: 'cluster.dissolved', cluster: id });
    }
  }

  #layout(): ShardPlan {
    const { totalShards, clusters } = this.deps.plan();
    return { totalShards, clusters: clusters.map(({ id, shardIds }) => ({ id, shardIds })) };
  }

  #layoutAfter({ from, to }: Regrouping, totalShards: number): ShardPlan {
    const stay = this.#layout().clusters.filter(({ id }) => !from.includes(id));
    return { totalShards, clusters: [...stay, ...to].sort((a, b) => a.id - b.id) };
  }

  #exchange(old: readonly Cluster[], fresh: readonly Cluster[], totalShards: number): void {
    for (const cluster of fresh) this.coming.delete(cluster);
    this.deps.exchange(old, fresh, totalShards);
  }
}

/** What has to be done one after the other so that the one becomes the other. Pure. */
export function partsOf(now: ShardPlan, target: ShardPlan): Regrouping[] {
  if (now.totalShards === target.totalShards) return regroupings(now.clusters, target.clusters);
  return [{ from: now.clusters.map(({ id }) => id), to: [...target.clusters] }];
}

function firstObstacle(clusters: readonly Cluster[]): string | null {
  for (const { id, obstacle } of clusters) if (obstacle !== null) return `cluster ${id}: ${obstacle}`;
  return null;
}

function longestGap(served: readonly Served[]): number | null {
  const gaps = served.map(({ gapMs }) => gapMs);
  return gaps.length === 0 || gaps.includes(null) ? null : Math.max(...gaps.map((gap) => gap ?? 0));
}

/** Until the caches are there, all new shards have to identify. */
function withIdentifies(settings: HandoffSettings, { to }: Regrouping): HandoffSettings {
  const shards = to.reduce((sum, { shardIds }) => sum + shardIds.length, 0);
  return { ...settings, copyTimeoutMs: settings.copyTimeoutMs + shards * IDENTIFY_MS };
}
