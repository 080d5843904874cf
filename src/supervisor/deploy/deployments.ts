import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ControlError, type Progress } from '../../control/contract';
import type { DeployRequest, DeployStatus, RollbackRequest, RolloutOrder } from '../../control/deploy-contract';
import {
  DeployError,
  isOver,
  LIVE,
  newRollout,
  planBatches,
  recovered,
  releaseOf,
  Rollout,
  RolloutRecord,
  type DeployEvent,
  type Fleet,
  type Release,
  type RolloutKind,
  type RolloutSettings,
  type RolloutState,
} from '../../deploy';
import type { HealthView } from '../../health';
import type { Metrics } from '../../metrics';
import type { BotSpec } from '../../sharding/bot-spec';
import type { MasterEvent } from '../../sharding/events';
import { DeployPreflight, type DeployPreflightOptions } from './preflight';
import { rolloutStatus } from './status';
import type { ReleaseSpecs } from './releases';
import { baseline, clusterTotals } from './readings';

export interface DeploymentsOptions extends DeployPreflightOptions {
  specs: ReleaseSpecs;
  metrics: Metrics;
  health: () => HealthView | null;
  /** Reads the config again and tells how clusters are run by it. */
  reload: (specs: ReleaseSpecs, tell: (text: string) => void) => Promise<ReleaseSpecs>;
}

type Tell = (line: Progress) => void;

interface About {
  from: string;
  to: string;
  settings: RolloutSettings;
  batches: number[][];
  clusters: readonly { id: number; release: string }[];
}

/** How often it is looked whether the clusters are up, ms. */
const POLL_MS = 250;
const SCALING = 'The clusters are being scaled.';
/** A rollback is to be fast: what it goes back to has served before. */
const AT_ONCE = { pauseMs: 0, stabilityMs: 0 };

/** Releases, their checks, and the rollout that is under way, if any. */
export class Deployments {
  readonly #options: DeploymentsOptions;
  readonly #record: RolloutRecord;
  readonly #preflight: DeployPreflight;
  readonly #followers = new Set<Tell>();
  readonly #abort = new AbortController();
  #specs: ReleaseSpecs;
  #rollout: Rollout | null = null;
  #running: Promise<RolloutState> | null = null;
  #last: RolloutState | null;
  /** What keeps deploys away, a sentence. */
  #busy: string | null = null;
  #doing: string | null = null;
  #pruning: Promise<unknown> = Promise.resolve();

  constructor(options: DeploymentsOptions) {
    this.#options = options;
    this.#specs = options.specs;
    this.#record = new RolloutRecord(join(options.config.stateDir, 'deploy'));
    this.#last = this.#record.history()[0] ?? null;
    this.#preflight = new DeployPreflight(options);
  }

  /** Before the clusters are started: each belongs to the release on which an unfinished rollout has it. */
  assign(): void {
    const state = this.#record.read();
    if (state === null) return;
    for (const cluster of this.#options.master().clusters) {
      const release = releaseOf(state, cluster.id);
      const spec = release === null ? null : this.#specs.of(release);
      if (spec !== null) cluster.assign(spec);
    }
  }

  /** After they are started: an unfinished rollout goes on. */
  goOn(): void {
    const state = this.#record.read();
    if (state === null) {
      this.#tidy();
      return;
    }
    const releases = new Map(this.#clusters().map(({ id, release }) => [id, release]));
    if (state.kind === 'reload' || this.#specs.of(state.to) === null) return this.#close(state);
    const again = recovered(state, (id) => releases.get(id) === state.to);
    void this.#run(again, this.#fleetFor(again.to), async () => {
      await this.#untilUp();
      this.#options.emit({ type: 'deploy.resumed', rollout: again.id, afterRestart: true });
    });
  }

  view(): DeployStatus {
    const { current, previous } = this.#options.store.current;
    const state = this.#rollout?.state ?? null;
    const last = this.#last;
    return {
      current,
      previous,
      rollout: state === null ? null : rolloutStatus(state, this.#doing),
      last: last === null ? null : rolloutStatus(last, null),
    };
  }

  onEvent(event: MasterEvent): void {
    this.#rollout?.note(event);
  }

  async deploy(request: DeployRequest, tell: Tell): Promise<void> {
    await this.#alone(async () => {
      const release = this.#find(request.release);
      const { current } = this.#options.store.current;
      const waiting = this.#clusters().filter((cluster) => cluster.release !== release.id);
      if (!request.checkOnly && waiting.length === 0) {
        this.#options.store.setCurrent(release.id, this.#options.clock.now());
        tell({ done: true, ok: true, text: `all clusters run release ${release.id} already` });
        return;
      }
      await this.#preflight.check(release, request.force, tell);
      const spec = this.#specs.of(release.id);
      if (spec !== null) await this.#boot(spec, tell);
      if (request.checkOnly) {
        tell({ done: true, ok: true, text: `release ${release.id} is ready to be deployed` });
        return;
      }
      const settings = { ...this.#settings(), ...(this.#noWayBack(release, waiting, tell) && { rollBack: false }) };
      const { canary, batch } = this.#options.config.deploy;
      const batches = request.allAtOnce ? [waiting.map(({ id }) => id)] : planBatches(waiting, { canary, batch });
      await this.#begin('deploy', { from: current, to: release.id, settings, batches, clusters: waiting }, tell);
    });
  }

  async rollback({ release: asked }: RollbackRequest, tell: Tell): Promise<void> {
    await this.#alone(async () => {
      const { current, previous } = this.#options.store.current;
      const to = asked === null ? previous : asked === LIVE ? LIVE : this.#find(asked).id;
      if (to === null) throw new ControlError(409, 'There is no release before this one.', 'See: botctl releases');
      const spec = this.#specs.of(to);
      if (spec === null) throw new ControlError(404, `Release ${to} is gone.`, 'See: botctl releases');
      const release = this.#options.store.get(to);
      const damage = release === null ? null : await this.#options.store.damage(release);
      if (damage !== null) throw new ControlError(409, `${damage}.`, 'Choose another: botctl releases');
      await this.#boot(spec, tell);
      const waiting = this.#clusters().filter((cluster) => cluster.release !== to);
      const { batch } = this.#options.config.deploy;
      const batches = planBatches(waiting, { canary: 'smallest', batch });
      const settings = { ...this.#settings(), ...AT_ONCE };
      await this.#begin('rollback', { from: current, to, settings, batches, clusters: waiting }, tell);
    });
  }

  /** Every cluster is replaced by one of the same release under the new config. */
  async reload(tell: Tell): Promise<void> {
    await this.#alone(async () => {
      const old = this.#specs;
      const specs = await this.#options.reload(old, (text) => tell({ done: false, text }));
      const changed = this.#clusters().filter(({ id, release }) => {
        return specs.of(release)?.fingerprint !== this.#options.master().cluster(id)?.spec.fingerprint;
      });
      const [first] = changed;
      if (first === undefined) {
        tell({ done: true, ok: true, text: 'nothing has changed that the clusters would have to be replaced for' });
        return;
      }
      const spec = specs.of(first.release);
      if (spec !== null) await this.#boot(spec, tell);
      const { current } = this.#options.store.current;
      const { canary, batch } = this.#options.config.deploy;
      const batches = planBatches(changed, { canary, batch });
      const state = this.#newState('reload', {
        from: current,
        to: current,
        settings: this.#settings(),
        batches,
        clusters: changed,
      });
      this.#specs = specs;
      const fleet = this.#fleet((id, to) => {
        const { release = LIVE } = changed.find((cluster) => cluster.id === id) ?? {};
        return (to === 'new' ? specs : old).of(release);
      });
      const end = await this.#follow(state, fleet, tell);
      if (end.phase !== 'done') this.#specs = old;
    });
  }

  /**
   * Has the clusters regrouped while no rollout can begin. They all run one release.
   * @throws ControlError when there is a rollout, or more than one release
   */
  async scale(
    change: (releases: ReleaseSpecs) => ReleaseSpecs,
    work: (spec: BotSpec, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    await this.#exclusively(SCALING, async () => {
      const releases = [...new Set(this.#clusters().map(({ release }) => release))];
      const [release = LIVE] = releases;
      if (releases.length > 1) {
        const message = `The clusters run different releases (${releases.join(', ')}).`;
        throw new ControlError(409, message, 'First: botctl deploy, or botctl rollback');
      }
      const specs = change(this.#specs);
      const spec = specs.of(release);
      if (spec === null) throw new ControlError(409, `Release ${release} is gone.`, 'First: botctl deploy');
      this.#specs = specs;
      await work(spec, this.#abort.signal);
    });
  }

  /** Clusters are being scaled. */
  get scaling(): boolean {
    return this.#busy === SCALING;
  }

  /** Looks on at the rollout that is under way. */
  async follow(tell: Tell): Promise<void> {
    if (this.#running === null) throw noRollout();
    this.#followers.add(tell);
    try {
      tell({ done: false, text: this.#doing ?? 'under way' });
      conclude(await this.#running, tell);
    } finally {
      this.#followers.delete(tell);
    }
  }

  async order(order: RolloutOrder, tell: Tell): Promise<void> {
    const rollout = this.#rollout;
    if (rollout === null || isOver(rollout.state)) throw noRollout();
    const { to, from, phase, paused } = rollout.state;
    if (phase === 'rolling-back') throw new ControlError(409, `It is being rolled back to ${from} already.`);
    switch (order) {
      case 'pause':
        if (!paused) rollout.pause();
        tell({ done: true, ok: true, text: `paused; go on with: botctl deploy --resume` });
        return;
      case 'resume':
        if (paused) rollout.resume();
        tell({ done: true, ok: true, text: `the rollout of ${to} goes on` });
        return;
      case 'abort':
        rollout.abort();
        // That it does not come to its end is what was asked for.
        await this.follow((line) => tell(line.done ? { ...line, ok: rollout.state.phase === 'rolled-back' } : line));
    }
  }

  /** The supervisor ends: what is under way goes on with the next one. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#rollout?.suspend();
    await this.#running?.catch(() => undefined);
    await this.#pruning;
  }

  #newState(kind: RolloutKind, about: About): RolloutState {
    const now = this.#options.clock.now();
    const id = `${new Date(now).toISOString().replace(/\D/g, '').slice(0, 14)}-${about.to.slice(0, 6)}`;
    return newRollout({ ...about, id, kind, now });
  }

  async #begin(kind: RolloutKind, about: About, tell: Tell): Promise<void> {
    const state = this.#newState(kind, about);
    await this.#follow(state, this.#fleetFor(about.to), tell);
  }

  async #follow(state: RolloutState, fleet: Fleet, tell: Tell): Promise<RolloutState> {
    this.#followers.add(tell);
    try {
      const end = await this.#run(state, fleet, () => Promise.resolve());
      conclude(end, tell);
      return end;
    } finally {
      this.#followers.delete(tell);
    }
  }

  /** Runs a rollout to its end, whoever looks on. */
  #run(state: RolloutState, fleet: Fleet, before: () => Promise<void>): Promise<RolloutState> {
    const { config, clock, emit, metrics } = this.#options;
    const { errorRate, latency, memory } = config.deploy.limits;
    this.#record.write(state);
    const rollout = new Rollout({
      state,
      fleet,
      record: this.#record,
      limits: { errorRate, latencyMs: latency, memoryBytes: memory },
      // The old processes serve meanwhile: half of the processors are theirs.
      atOnce: Math.max(1, Math.floor(availableParallelism() / 2)),
      baseline: baseline(metrics, this.#options.master().view().clusters),
      clock,
      emit,
      say: (text, share) => this.#say(text, share),
    });
    this.#rollout = rollout;
    const { id, kind, from, to, clusters } = state;
    if (state.startedAt === clock.now() || clusters.every(({ step }) => step === 'waiting')) {
      emit({ type: 'deploy.started', rollout: id, kind, from, to, clusters: clusters.length });
    }
    this.#running = (async () => {
      try {
        await before();
        const end = await rollout.run();
        if (isOver(end)) this.#last = end;
        if (end.phase === 'done' && end.kind !== 'reload') this.#options.store.setCurrent(end.to, clock.now());
        return end;
      } finally {
        this.#rollout = null;
        this.#running = null;
        this.#doing = null;
        this.#tidy();
      }
    })();
    return this.#running;
  }

  #say(text: string, share: number): void {
    this.#doing = text;
    for (const tell of this.#followers) tell({ done: false, text, share });
  }

  #fleetFor(to: string): Fleet {
    const from = new Map(this.#clusters().map(({ id, release }) => [id, release]));
    const state = (): RolloutState | null => this.#rollout?.state ?? null;
    return this.#fleet((id, side) => {
      if (side === 'new') return this.#specs.of(to);
      const home = state()?.clusters.find((cluster) => cluster.id === id)?.from ?? from.get(id) ?? LIVE;
      return this.#specs.of(home);
    });
  }

  #fleet(specOf: (id: number, to: 'new' | 'old') => BotSpec | null): Fleet {
    const { metrics } = this.#options;
    const observed = (id: number) => this.#options.master().cluster(id)?.observe() ?? null;
    return {
      cluster: (id) => observed(id),
      replace: async (id, to, options) => {
        const cluster = this.#options.master().cluster(id);
        const spec = specOf(id, to);
        if (cluster === undefined) throw new DeployError(`there is no cluster ${id}`);
        if (spec === null) throw new DeployError('the release is gone');
        return cluster.replace({ spec, ...options });
      },
      totals: (id) => clusterTotals(metrics, observed(id), id),
      unhealthy: (id) => this.#unhealthy(id),
    };
  }

  #unhealthy(id: number): string | null {
    const results = this.#options.health()?.results ?? [];
    const sick = results.find(({ scope, state }) => {
      return scope.kind === 'cluster' && scope.id === id && state === 'unhealthy';
    });
    return sick === undefined ? null : `${sick.check}: ${sick.message}`;
  }

  /** Clusters that run from the bot's own folder cannot go back to code that was there before it was changed. */
  #noWayBack({ source, changedAt }: Release, waiting: readonly { release: string }[], tell: Tell): boolean {
    const { config, master, clock } = this.#options;
    const isOwn = source.kind === 'folder' && source.path === config.deploy.root;
    if (!isOwn || !waiting.some(({ release }) => release === LIVE)) return false;
    const started = master().clusters.flatMap((cluster) => {
      const { uptimeMs, release } = cluster.observe();
      return release === LIVE && uptimeMs !== null ? [clock.now() - uptimeMs] : [];
    });
    if (started.every((at) => changedAt <= at)) return false;
    const text =
      'the clusters run from this folder, and it was changed since: the old code is gone, so a failure halts the rollout and nothing is rolled back';
    tell({ done: false, text });
    return true;
  }

  /** @throws ControlError when the bot does not get as far as `login()` */
  #boot(spec: BotSpec, tell: Tell): Promise<void> {
    return this.#preflight.boot(spec, tell, this.#abort.signal);
  }

  #clusters(): { id: number; release: string; guilds: number }[] {
    return this.#options
      .master()
      .view()
      .clusters.map(({ id, release, guilds }) => ({ id, release, guilds }));
  }

  #settings(): RolloutSettings {
    const { batch, pause, stability, readyTimeout, rollback } = this.#options.config.deploy;
    return { batch, pauseMs: pause, stabilityMs: stability, readyTimeoutMs: readyTimeout, rollBack: rollback };
  }

  #find(text: string): Release {
    try {
      return this.#options.store.find(text);
    } catch (error) {
      if (error instanceof DeployError) throw new ControlError(404, `${error.message}.`, error.hint);
      throw error;
    }
  }

  /** One at a time. */
  #alone(work: () => Promise<void>): Promise<void> {
    return this.#exclusively('Another deploy is being checked.', work);
  }

  async #exclusively(what: string, work: () => Promise<void>): Promise<void> {
    if (this.#busy !== null || this.#running !== null) {
      const to = this.#rollout?.state.to;
      if (to === undefined) throw new ControlError(409, this.#busy ?? 'A rollout ends.', 'Try again when it is over.');
      const hint = 'Look on with: botctl deploy --follow; end it with: botctl deploy --abort';
      throw new ControlError(409, `The rollout of ${to} is under way.`, hint);
    }
    this.#busy = what;
    try {
      await work();
    } finally {
      this.#busy = null;
    }
  }

  async #untilUp(): Promise<void> {
    const { clock } = this.#options;
    const down = (): boolean => this.#options.master().clusters.some(({ state }) => state !== 'ready');
    while (down() && !this.#abort.signal.aborted) {
      await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
    }
  }

  /** A rollout that cannot go on after the supervisor's restart: each cluster keeps what it runs. */
  #close(state: RolloutState): void {
    const reload = state.kind === 'reload';
    const phase = reload ? 'done' : 'failed';
    const reason = reload ? 'the supervisor was started again with the new config' : `release ${state.to} is gone`;
    const end: RolloutState = { ...state, phase, reason, endedAt: this.#options.clock.now() };
    this.#record.close(end);
    this.#last = end;
    const { id: rollout, kind, from, to, byOperator, startedAt } = end;
    const tookMs = this.#options.clock.now() - startedAt;
    const event: DeployEvent = {
      type: 'deploy.ended',
      rollout,
      kind,
      from,
      to,
      end: phase,
      reason,
      byOperator,
      tookMs,
    };
    this.#options.emit(event);
  }

  /** Removes releases that are neither run nor among the newest. @throws Error of the disk */
  prune(): Promise<{ removed: number }> {
    const pruned = this.#pruning.then(async () => {
      const { store, config } = this.#options;
      const inUse = new Set(this.#clusters().map(({ release }) => release));
      return { removed: (await store.prune(config.deploy.keep, inUse)).length };
    });
    this.#pruning = pruned.catch(() => undefined);
    return pruned;
  }

  /** What cannot be removed, on a full or read-only disk, is the next time. */
  #tidy(): void {
    void this.prune().catch(() => undefined);
  }
}

/** The last line of what an operator sees. */
function conclude(state: RolloutState, tell: Tell): void {
  const { phase, to, from, reason, clusters, kind } = state;
  const identifies = clusters.reduce((sum, cluster) => sum + cluster.identifies, 0);
  const handoffs = clusters.filter(({ how }) => how === 'handoff').length;
  const why = reason === null ? '' : `: ${reason}`;
  switch (phase) {
    case 'done': {
      const what = kind === 'reload' ? 'run with the new config' : `run release ${to}`;
      const how = `${handoffs} of ${clusters.length} by handoff, ${identifies} identifies`;
      return tell({ done: true, ok: true, text: `all clusters ${what} (${how})`, share: 1 });
    }
    case 'rolled-back':
      return tell({ done: true, ok: false, text: `${to} was rolled back to ${from}${why}` });
    case 'halted':
      return tell({
        done: true,
        ok: false,
        text: `the rollout of ${to} was halted${why}; botctl rollback brings ${from} back`,
      });
    case 'failed':
      return tell({ done: true, ok: false, text: `the rollout of ${to} failed${why}` });
    case 'running':
    case 'rolling-back':
      return tell({ done: true, ok: false, text: 'the supervisor ends; the rollout goes on when it is started again' });
  }
}

function noRollout(): ControlError {
  return new ControlError(409, 'No rollout is under way.', 'See: botctl releases');
}
