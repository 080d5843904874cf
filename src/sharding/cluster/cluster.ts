import { rmSync } from 'node:fs';
import type { AgentToSupervisor, Hello, Sample, ShardReport } from '../../ipc/messages';
import type { Degradation, Remedy, RemedyOutcome } from '../../ipc/remedies';
import type { AgentHandlers, AgentLink } from '../agent-server';
import type { BotSpec } from '../bot-spec';
import type { BroadcastMember } from '../broadcast';
import type { MasterEvent } from '../events';
import { fatalSentence } from '../fatal';
import type { Served } from '../handoff/handoff';
import type { HandoffStep, ReplaceOptions, ReplaceOutcome } from '../handoff/replace';
import type { ClusterPlan } from '../plan';
import type { RosterEntry } from '../roster';
import type { ClusterBoot, ClusterDeps } from './cluster-deps';
import { LaunchError, type ClusterProcess, type ProcessExit } from './cluster-process';
import { Ending } from './ending';
import { ClusterFacts } from './facts';
import { HangDetector } from './hang-detector';
import type { Incarnation } from './incarnation';
import { Launcher } from './launcher';
import type { ClusterState, ObservedCluster } from './observed-cluster';
import { Replacement, type HandoffUnderWay, type Replaceable } from './replacement';
import { RestartPolicy } from './restart-policy';
import type { ObservedShard } from './shard-table';

type Rest =
  | { state: 'waiting' | 'stopped' }
  | { state: 'backoff' | 'crash-loop'; retryAt: number; cancel: () => void }
  | { state: 'fatal' };

/** An adopted process has at least so long, ms, to attach; else it hangs, and has what hangs is given. */
const ADOPT_MIN_MS = 10_000;
/** A cluster that was started on demand has this long to get ready before nobody waits for it any more, ms. */
const SETTLE_TIMEOUT_MS = 120_000;
const SETTLED: ReadonlySet<ClusterState> = new Set(['ready', 'backoff', 'crash-loop', 'fatal', 'stopped']);
const POLL_MS = 20;

/**
 * One cluster: a process for a range of shards, kept alive by the restart policy. Its facts come from its agent; a
 * frame counts only when it belongs to the incarnation that runs now.
 */
export class Cluster implements BroadcastMember, Replaceable {
  readonly id: number;
  readonly shardIds: readonly number[];
  readonly #deps: ClusterDeps;
  readonly #policy: RestartPolicy;
  readonly #facts: ClusterFacts;
  readonly #launcher: Launcher;
  readonly #ending: Ending;
  readonly #replacement: Replacement;
  #spec: BotSpec;
  /** The process that is the cluster. */
  #run: Incarnation | null = null;
  /** The one that is to succeed it. */
  #successor: Incarnation | null = null;
  /** Those that have been succeeded and not ended yet. */
  readonly #retiring = new Set<Incarnation>();
  #handoff: ({ step: HandoffStep } & HandoffUnderWay) | null = null;
  /** Its samples wait. */
  #isSilent = false;
  /** Other clusters have its shards. */
  #isGone = false;
  #rest: Rest = { state: 'waiting' };
  #stopping = false;
  /** A cause that concerns the whole bot is latched: no new process until an operator starts it. */
  #held = false;
  #replacing: Promise<unknown> = Promise.resolve();
  #restarts = 0;
  #lastExit: string | null = null;
  #message: string | null = null;
  #degraded: Degradation[] = [];

  /** `spec`: what its processes run until `replace` or `adopt` says otherwise. */
  constructor(plan: ClusterPlan, spec: BotSpec, deps: ClusterDeps) {
    this.#spec = spec;
    this.id = plan.id;
    this.shardIds = plan.shardIds;
    this.#deps = deps;
    this.#policy = new RestartPolicy(deps.settings.restart);
    this.#facts = new ClusterFacts(plan.shardIds, deps.clock);
    this.#launcher = new Launcher(plan, deps, {
      onExit: (run, exit) => this.#onExit(run, exit),
      restarts: () => this.#restarts,
    });
    this.#ending = new Ending(plan, deps);
    const { clock, emit, settings, turns } = deps;
    this.#replacement = new Replacement(this, { clock, emit, handoff: settings.handoff, turns });
  }

  get identifies(): number {
    return this.#facts.table.identifies;
  }

  /** What the cluster runs, and respawns on. */
  get spec(): BotSpec {
    return this.#spec;
  }

  get serving(): Incarnation | null {
    return this.#run;
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get incarnation(): string | null {
    return this.#run?.id ?? null;
  }

  /** All processes of the cluster: that which serves, its successor, and its predecessors. */
  get incarnations(): string[] {
    return this.#all.map(({ id }) => id);
  }

  get #all(): Incarnation[] {
    return [this.#run, this.#successor, ...this.#retiring].filter((one) => one !== null);
  }

  get state(): ClusterState {
    const run = this.#run;
    if (run === null) return this.#rest.state;
    if (this.#stopping) return 'stopping';
    if (run.hung) return 'hung';
    if (this.#isReady(run)) return 'ready';
    if (this.#held) return 'fatal';
    if (run.readyAt !== null) return 'degraded';
    return run.loggedIn ? 'starting' : 'booting';
  }

  /** A fresh process could resume all shards, as far as is known. */
  get resumable(): boolean {
    return this.#run?.hooked === true && this.#facts.hasAllSessions;
  }

  get shards(): ObservedShard[] {
    const run = this.#run;
    // Without the hook the bot's own word over discord.js's channel is all there is.
    const saidReady = run !== null && run.hooked !== true && run.saidReady;
    return this.#facts.table.observe().map((shard) => (saidReady ? { ...shard, state: 'ready' } : shard));
  }

  /** Why the cluster cannot be asked by a broadcast now, or null. */
  get unavailable(): string | null {
    const run = this.#run;
    if (run === null) return this.#rest.state === 'waiting' ? 'is not up yet' : `is down (${this.#rest.state})`;
    if (this.#stopping) return 'is stopping';
    if (run.link === null) return 'is not attached';
    return run.loggedIn || run.saidReady ? null : 'is not up yet';
  }

  observe(): ObservedCluster {
    const run = this.#run;
    const now = this.#deps.clock.now();
    return {
      id: this.id,
      pid: run?.process.pid ?? null,
      state: this.state,
      shards: this.shardIds,
      release: (run?.spec ?? this.#spec).release,
      restarts: this.#restarts,
      sample: this.#facts.sample,
      cpuPercent: this.#facts.cpuPercent,
      uptimeMs: run === null ? null : now - run.spawnedAt,
      agent: run?.hooked ?? null,
      adopted: run?.adopted ?? false,
      guilds: this.#facts.table.guilds,
      lastExit: this.#lastExit,
      retryAt: 'retryAt' in this.#rest && run === null ? this.#rest.retryAt : null,
      message: this.#message,
      notices: [...this.#facts.notices.values()],
      handoff: this.#handoff?.step ?? null,
    };
  }

  /** Starts the process now. `operator`: asked for by hand, so its identifies may use the reserve. */
  start({ operator = false }: { operator?: boolean } = {}): void {
    if (this.#run !== null || this.#isGone) return;
    if ('cancel' in this.#rest) this.#rest.cancel();
    this.#rest = { state: 'waiting' };
    this.#stopping = false;
    this.#held = false;
    const { sessions, totalShards } = this.#deps;
    const saved = sessions.take(totalShards, this.shardIds);
    const resume = saved === null ? {} : { resume: saved };
    try {
      const run = this.#launcher.launch({ spec: this.#spec, extra: () => resume, operator, successorOf: [] });
      run.resumeSnapshots = (saved ?? []).map(({ snapshot }) => snapshot);
      this.#begin(run);
      const { pid } = run.process;
      this.#emit({ type: 'cluster.spawned', cluster: this.id, pid, incarnation: run.id, resumes: saved !== null });
      this.#armWatchdog(run);
    } catch (error) {
      const reason =
        error instanceof LaunchError ? error.message : `could not be prepared: ${(error as Error).message}`;
      this.#lastExit = reason;
      this.#message = reason;
      this.#scheduleRetry(0);
    }
  }

  /** A process of this spec ran here when the last supervisor ended: what is started next runs it too. */
  assign(spec: BotSpec): void {
    this.#spec = spec;
  }

  /** Takes over the process of an earlier supervisor, which runs `spec`; its agent will say hello. */
  adopt(entry: RosterEntry, spec: BotSpec, process: ClusterProcess): void {
    this.#spec = spec;
    this.#restarts = entry.restarts;
    const run = this.#launcher.adopt(entry, spec, process);
    this.#begin(run);
    this.#emit({ type: 'cluster.adopted', cluster: this.id, pid: process.pid, incarnation: run.id });
    const { clock, settings } = this.#deps;
    run.cancelWatchdog = clock.after(Math.max(ADOPT_MIN_MS, settings.hangTimeoutMs), () => {
      if (run.link === null) this.#kill(run, 'did not attach to the new supervisor');
    });
  }

  /** The agent of this cluster's incarnation is here (again). */
  attach(link: AgentLink): AgentHandlers {
    const run = this.#all.find(({ id }) => id === link.hello.incarnation);
    if (run === undefined) throw new Error('attach to another incarnation');
    run.link?.close();
    run.link = link;
    run.cancelWatchdog();
    this.#takeHello(run, link.hello);
    link.send({ t: 'welcome', supervisorPid: process.pid, timings: this.#launcher.timings });
    if (this.#degraded.length > 0) link.send({ t: 'degraded', dependencies: this.#degraded });
    run.hang ??= new HangDetector({
      clock: this.#deps.clock,
      timeoutMs: this.#deps.settings.hangTimeoutMs,
      ping: (id) => run.link?.send({ t: 'ping', id }),
      onHung: (silentMs) => {
        run.hung = true;
        this.#emit({ type: 'cluster.hung', cluster: this.id, silentMs });
        this.#kill(run, `hung: its event loop did not answer for ${Math.round(silentMs / 1_000)} s`);
      },
    });
    this.#armWatchdog(run);
    return {
      onFrame: (frame) => {
        if (run.link === link && this.#all.includes(run)) this.#onFrame(run, frame);
      },
      onClose: () => {
        if (run.link !== link) return;
        run.link = null;
        run.desk.onLinkLost();
      },
    };
  }

  /**
   * Ends the process: shards are closed resumably, sessions and caches saved, then SIGTERM, then SIGKILL when the
   * deadline is over. Resolves when it is gone. Safe to call twice.
   */
  async stop({ park = true }: { park?: boolean } = {}): Promise<void> {
    if ('cancel' in this.#rest) this.#rest.cancel();
    await this.#endHandoff();
    const run = this.#run;
    if (run === null) {
      if (this.#rest.state !== 'fatal') this.#rest = { state: 'stopped' };
      await Promise.all([...this.#retiring].map(({ ended }) => ended));
      return;
    }
    if (!this.#stopping) {
      this.#stopping = true;
      run.cancelWatchdog();
      void this.#ending.end(run, park);
    }
    await Promise.all(this.#all.map(({ ended }) => ended));
  }

  /** Ends its processes at once. */
  kill(): void {
    this.#stopping = true;
    for (const { process } of this.#all) process.kill('SIGKILL');
  }

  /**
   * Puts a fresh process in the place of the one that runs, on `spec` if given. A cluster that does not run is started.
   * Resolves when the cluster is settled (ready, or down for good); never rejects. One at a time.
   */
  replace(options: ReplaceOptions = {}): Promise<ReplaceOutcome> {
    const replacing = this.#replacing.then(() => this.#replacement.run(options));
    this.#replacing = replacing;
    return replacing;
  }

  forgive(): void {
    this.#policy.reset();
  }

  get obstacle(): string | null {
    const run = this.#run;
    if (this.#deps.settings.handoff === null) return 'handoffs are switched off (sharding.handoff.enabled)';
    if (run === null) return 'it does not run';
    if (run.hooked !== true) return 'it has no agent that could hand over';
    if (run.link === null) return 'its agent is not attached';
    for (const code of ['custom-strategy', 'several-clients'] as const) {
      const notice = this.#facts.notices.get(code);
      if (notice !== undefined) return notice;
    }
    return this.state === 'ready' ? null : `it is ${this.state}`;
  }

  launchSuccessor(spec: BotSpec, operator: boolean): Incarnation {
    const predecessor = this.#run;
    const successorOf = predecessor === null ? [] : [predecessor.id];
    return this.#launchTaker({ spec, operator, successorOf, reshard: false });
  }

  handingOver(handoff: HandoffUnderWay): void {
    this.#handoff = { step: 'booting', ...handoff };
  }

  succeed(predecessor: Incarnation, successor: Incarnation, served: Served): void {
    this.#setRetiring(predecessor);
    this.#become(successor, served);
    this.#emit({
      type: 'cluster.handed-over',
      cluster: this.id,
      pid: successor.process.pid,
      incarnation: successor.id,
      predecessor: predecessor.process.pid,
      gapMs: served.gapMs,
      caughtUpMs: served.caughtUpMs,
      dropped: served.dropped,
    });
    this.#noteServing(successor);
  }

  #setRetiring(predecessor: Incarnation): void {
    predecessor.retired = true;
    predecessor.hang?.stop();
    predecessor.cancelWatchdog();
    this.#retiring.add(predecessor);
    this.#launcher.note(predecessor);
  }

  #become(successor: Incarnation, served: Served): void {
    successor.successorOf = [];
    this.#successor = null;
    this.#spec = successor.spec;
    this.#begin(successor);
    this.#launcher.note(successor);
    this.#facts.takeServed(served);
  }

  #noteServing(successor: Incarnation): void {
    if (this.#facts.table.allReady) this.#noteReady(successor);
    else this.#armWatchdog(successor);
  }

  /** Waits for the replacement that is under way, then keeps others away until the function that it gives is called. */
  async claim(): Promise<() => void> {
    const before = this.#replacing;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    this.#replacing = before.then(() => held);
    await before;
    return release;
  }

  /** The process that is to give its shards to other clusters, until `kept` or `given`; null: there is none. */
  give(handoff: HandoffUnderWay): Incarnation | null {
    if (this.#run !== null) this.handingOver(handoff);
    return this.#run;
  }

  /** It goes on as before. */
  kept(): void {
    if (this.#run !== null) this.#run.ceding = false;
    this.#handoff = null;
  }

  /** Its shards are other clusters' now: what is left is a process that finishes its work. */
  given(): void {
    this.#isGone = true;
    const run = this.#run;
    if (run !== null) this.#setRetiring(run);
    this.#run = null;
    this.#rest = { state: 'stopped' };
    this.#facts.forgetShards();
  }

  /** After `given`: resolves when no process is left, within about this time, ms. `isServing`: it has to be stopped. */
  async finished(withinMs: number, isServing: (run: Incarnation) => boolean): Promise<void> {
    await Promise.all(
      [...this.#retiring].map((run) => (isServing(run) ? this.#ending.end(run, true) : this.retire(run, withinMs))),
    );
    await Promise.all([...this.#retiring].map(({ ended }) => ended));
    this.#handoff = null;
    this.#deps.onGone(this, 'has given its shards to other clusters');
  }

  /** Starts a process that waits for shards of others, until `taken` or `notTaken`. @throws LaunchError, file errors */
  take(of: readonly string[], operator: boolean, reshard: boolean, handoff: HandoffUnderWay): Incarnation {
    const successor = this.#launchTaker({ spec: this.#spec, operator, successorOf: of, reshard });
    this.handingOver(handoff);
    // A process that gives to it may be told under the same number.
    this.#isSilent = true;
    return successor;
  }

  /** Its process serves the shards. */
  taken(served: Served): void {
    const successor = this.#successor;
    if (successor === null) return;
    rmSync(this.socketOf(successor.id), { force: true });
    this.#become(successor, served);
    this.#emit({
      type: 'cluster.formed',
      cluster: this.id,
      pid: successor.process.pid,
      incarnation: successor.id,
      shards: this.shardIds.length,
      gapMs: served.gapMs,
      caughtUpMs: served.caughtUpMs,
      dropped: served.dropped,
    });
    this.#noteServing(successor);
    this.#handoff = null;
  }

  /** Its process has failed, and is gone. */
  async notTaken(): Promise<void> {
    this.#handoff = null;
    const successor = this.#successor;
    if (successor === null) return;
    rmSync(this.socketOf(successor.id), { force: true });
    await successor.ended;
  }

  /** Those that gave to it have told their last figures. */
  speak(): void {
    this.#isSilent = false;
    if (this.#run !== null) this.#tellSamples(this.#run);
  }

  note(step: HandoffStep | null): void {
    if (step === null) this.#handoff = null;
    else if (this.#handoff !== null) this.#handoff.step = step;
  }

  socketOf(incarnation: string): string {
    return this.#launcher.socketOf(incarnation);
  }

  retire(predecessor: Incarnation, drainMs: number): Promise<void> {
    return this.#ending.retire(predecessor, drainMs);
  }

  /** Gives a handoff up, or, when it is too late for that, waits for its end. */
  async #endHandoff(): Promise<void> {
    this.#handoff?.abort.abort();
    await this.#handoff?.over;
  }

  async settled(timeoutMs = SETTLE_TIMEOUT_MS): Promise<void> {
    const { clock } = this.#deps;
    const until = clock.now() + timeoutMs;
    while (!SETTLED.has(this.state) && clock.now() < until) {
      await new Promise<void>((resolve) => void clock.after(POLL_MS, resolve));
    }
  }

  /** Reconnects one shard by RESUME. False when the cluster has no agent that could do it. */
  reconnectShard(shardId: number): boolean {
    const link = this.#run?.link ?? null;
    if (link === null || this.#run?.hooked !== true) return false;
    link.send({ t: 'reconnect', shardId });
    return true;
  }

  /** Has something done in the bot's process. Never rejects. */
  async remedy(remedy: Remedy, timeoutMs: number): Promise<RemedyOutcome> {
    const run = this.#run;
    const link = run?.link ?? null;
    if (run === null || link === null) return { ok: false, text: `cluster ${this.id} has no agent that could do it` };
    return run.remedies.ask((id) => link.send({ t: 'remedy', id, remedy }), remedy, timeoutMs);
  }

  /** What does not serve at the moment, for the bot to know. */
  tellDegraded(dependencies: Degradation[]): void {
    this.#degraded = dependencies;
    this.#run?.link?.send({ t: 'degraded', dependencies });
  }

  deliver(message: unknown): void {
    this.#run?.link?.send({ t: 'bot', message });
  }

  reply(message: unknown): void {
    for (const { link } of this.#all) link?.send({ t: 'bot', message });
  }

  /** Holds the cluster: another one met a cause that concerns all. A running process is left alone. */
  holdFatal(message: string): void {
    this.#held = true;
    this.#message = message;
    this.#handoff?.abort.abort();
    const run = this.#run;
    if (run !== null) {
      // A bot that is refused often lives on without a shard; one that serves already is left alone.
      if (run.readyAt === null && run.killedFor === null && !this.#stopping) {
        run.killedFor = message;
        run.cancelWatchdog();
        void this.#ending.end(run, false);
      }
      return;
    }
    if ('cancel' in this.#rest) this.#rest.cancel();
    this.#rest = { state: 'fatal' };
  }

  /** Writes how far the output was read, so that an adopting supervisor goes on there. */
  checkpoint(): void {
    if (!this.#stopping) for (const run of this.#all) this.#launcher.note(run);
  }

  /** Starts a process that waits for those that hand over to it. @throws LaunchError, or what the file system throws */
  #launchTaker({
    reshard,
    ...request
  }: {
    spec: BotSpec;
    operator: boolean;
    successorOf: readonly string[];
    reshard: boolean;
  }): Incarnation {
    const predecessors = request.successorOf.length;
    const extra = (id: string): Pick<ClusterBoot, 'handoff'> => ({
      handoff: { socketPath: this.socketOf(id), predecessors, reshard },
    });
    this.#successor = this.#launcher.launch({ ...request, extra });
    return this.#successor;
  }

  /** From now on this process is the cluster. */
  #begin(run: Incarnation): void {
    this.#run = run;
    this.#message = null;
    this.#facts.begin();
  }

  #takeHello(run: Incarnation, hello: Hello): void {
    run.hooked = hello.discordJs !== null ? true : run.hooked;
    run.loggedIn ||= hello.discordJs !== null && hello.shards.length > 0;
    if (run !== this.#run) return; // not, or no longer, what the cluster is
    for (const report of hello.shards) this.#updateShard(run, report);
    this.#facts.takeHello(hello);
  }

  #onFrame(run: Incarnation, frame: Exclude<AgentToSupervisor, Hello>): void {
    run.hang?.alive();
    const isCluster = run === this.#run && !run.ceding;
    switch (frame.t) {
      case 'bot':
        this.#onBotMessage(run, frame.message);
        break;
      case 'connect':
      case 'identify':
      case 'cancel':
      case 'identified':
      case 'connected':
        run.desk.onFrame(frame);
        break;
      case 'handoff':
        if (frame.report.step === 'rolled-back') run.ceding = false;
        run.onHandoff?.(frame.report);
        break;
      case 'shard':
        if (isCluster) this.#updateShard(run, frame.report, frame);
        // Shards of a new number identify before they are the cluster's.
        else if (run === this.#successor && frame.report.phase === 'guilds') {
          run.desk.onReady(frame.report.id);
          this.#handoff?.onIdentified?.();
        }
        break;
      case 'sessions':
        if (isCluster) this.#facts.takeSessions(frame.sessions);
        break;
      case 'sample':
        this.#takeSample(run, frame.sample);
        break;
      case 'login':
        run.loggedIn = true;
        run.hooked = true;
        this.#armWatchdog(run);
        break;
      case 'notice':
        if (frame.code === 'bundled-discord-js' || frame.code === 'no-discord-js') run.hooked = false;
        if (run !== this.#run) break;
        this.#facts.notices.set(frame.code, frame.text);
        this.#emit({ type: 'cluster.notice', cluster: this.id, code: frame.code, text: frame.text });
        break;
      case 'notice-over':
        if (run === this.#run && this.#facts.notices.delete(frame.code)) {
          this.#emit({ type: 'cluster.notice-over', cluster: this.id, code: frame.code });
        }
        break;
      case 'parked':
        run.onParked?.(frame);
        break;
      case 'remedied':
        run.remedies.answered(frame.id, { ok: frame.ok, text: frame.text });
        break;
      case 'rotated':
        run.tails[frame.stream].rotated(frame.ok, frame.tail);
        break;
      case 'pong':
        run.pulse.onPong(frame.id);
        break;
      case 'ready':
      case 'exiting':
        break;
    }
  }

  #onBotMessage(run: Incarnation, message: unknown): void {
    if (typeof message === 'object' && message !== null && '_ready' in message && run.hooked !== true) {
      run.saidReady = true;
      if (run === this.#run) this.#noteReady(run);
    }
    this.#deps.onBotMessage(this, message);
  }

  #updateShard(run: Incarnation, report: ShardReport, change?: Extract<AgentToSupervisor, { t: 'shard' }>): void {
    const changed = this.#facts.table.update(report) !== null;
    const closeCode = change?.closeCode;
    if (changed) {
      this.#emit({
        type: 'shard.phase',
        cluster: this.id,
        shard: report.id,
        phase: report.phase,
        ...(closeCode !== undefined && { closeCode }),
        ...(change?.replayed !== undefined && { replayed: change.replayed }),
      });
      this.#armWatchdog(run);
      if (report.phase === 'guilds') run.desk.onReady(report.id);
    }
    if (report.phase === 'dead' && closeCode !== undefined) this.#onDeadShard(closeCode);
    if (this.#facts.table.allReady) this.#noteReady(run);
  }

  #onDeadShard(closeCode: number): void {
    const message = fatalSentence(closeCode);
    if (message === null) return;
    this.#message = message;
    this.#emit({ type: 'cluster.fatal', cluster: this.id, closeCode, message });
    this.#deps.onFatal(closeCode, message);
  }

  #noteReady(run: Incarnation): void {
    if (run.readyAt !== null) return;
    run.readyAt = this.#deps.clock.now();
    run.cancelWatchdog();
    run.discardResumeSnapshots();
    this.#emit({ type: 'cluster.ready', cluster: this.id, tookMs: run.readyAt - run.spawnedAt });
  }

  #isReady(run: Incarnation): boolean {
    return run.hooked === true ? this.#facts.table.allReady : run.saidReady;
  }

  #takeSample(run: Incarnation, sample: Sample): void {
    if (run === this.#run && !run.ceding) {
      this.#facts.takeSample(sample);
      for (const report of sample.shards) this.#updateShard(run, report);
    }
    // Figures are added up process by process: those of a successor wait until its predecessor has told its last. None
    // may be left out, for a counter is told only when it has changed.
    run.untold.push(sample);
    if (this.#isSilent || run === this.#successor || (run === this.#run && this.#retiring.size > 0)) return;
    this.#tellSamples(run);
  }

  #tellSamples(run: Incarnation): void {
    const { id: incarnation, adopted } = run;
    for (const sample of run.untold.splice(0)) {
      this.#emit({ type: 'cluster.sample', cluster: this.id, incarnation, adopted, sample });
    }
  }

  /** A start that makes no progress is ended. Time spent waiting for our own permits does not count. */
  #armWatchdog(run: Incarnation): void {
    run.cancelWatchdog();
    if (run.readyAt !== null || this.#stopping || run !== this.#run) return;
    const { clock, settings } = this.#deps;
    run.cancelWatchdog = clock.after(settings.spawnTimeoutMs, () => {
      if (this.#run !== run || run.readyAt !== null) return;
      if (this.#facts.table.someWaitForUs) return this.#armWatchdog(run);
      const seconds = Math.round(settings.spawnTimeoutMs / 1_000);
      const what =
        run.link === null
          ? `its process did not come up within ${seconds} s`
          : run.loggedIn
            ? `its shards did not get ready within ${seconds} s`
            : `the bot did not call client.login() within ${seconds} s`;
      this.#kill(run, what);
    });
  }

  #kill(run: Incarnation, reason: string): void {
    run.killedFor = reason;
    this.#message = reason;
    run.process.kill('SIGKILL');
  }

  async #onExit(run: Incarnation, exit: ProcessExit): Promise<void> {
    const now = this.#deps.clock.now();
    await run.release();
    // In the middle of a handoff only its end tells whether this process still was the cluster.
    if (this.#handoff !== null && !this.#retiring.has(run)) await this.#handoff.over;
    if (run !== this.#successor && !run.hasParked && !this.#held) this.#ending.collectLeft(run);
    run.discardResumeSnapshots();
    this.#launcher.forget(run);
    if (run === this.#successor) this.#successor = null;
    else if (this.#retiring.delete(run)) {
      this.#emit({ type: 'cluster.retired', cluster: this.id, pid: run.process.pid });
      if (this.#retiring.size === 0 && this.#run !== null) this.#tellSamples(this.#run);
    } else if (run === this.#run) this.#onEnd(run, run.endReason(exit), now);
  }

  /** The process that was the cluster has ended. */
  #onEnd(run: Incarnation, reason: string, now: number): void {
    this.#tellSamples(run);
    this.#run = null;
    this.#facts.forgetShards();
    this.#lastExit = reason;
    this.#emit({ type: 'cluster.exited', cluster: this.id, pid: run.process.pid, reason, expected: this.#stopping });
    this.#deps.onGone(this, this.#stopping ? 'is stopping' : `died (${reason})`);
    if (this.#stopping) {
      this.#rest = { state: 'stopped' };
      return;
    }
    if (this.#held) {
      this.#rest = { state: 'fatal' };
      return;
    }
    this.#message = reason;
    this.#scheduleRetry(run.readyAt === null ? 0 : now - run.readyAt);
  }

  #scheduleRetry(readyForMs: number): void {
    const { clock } = this.#deps;
    const decision = this.#policy.onDeath(clock.now(), readyForMs);
    this.#restarts++;
    this.#emit({ type: 'cluster.retry', cluster: this.id, ...decision });
    this.#retryIn(decision.state, decision.delayMs);
  }

  #retryIn(state: 'backoff' | 'crash-loop', delayMs: number): void {
    const { clock } = this.#deps;
    const cancel = clock.after(delayMs, () => {
      if (state === 'backoff' || this.#deps.mayRetryCrashLoop()) return this.start();
      this.#emit({ type: 'identify.saved', what: `cluster ${this.id} stays in its crash loop` });
      this.#retryIn(state, delayMs);
    });
    this.#rest = { state, retryAt: clock.now() + delayMs, cancel };
  }

  #emit(event: MasterEvent): void {
    this.#deps.emit(event);
  }
}
