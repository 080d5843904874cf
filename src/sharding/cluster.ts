import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  PARKED_FILE,
  type AgentToSupervisor,
  type BootRecord,
  type Hello,
  type ParkedRecord,
  type Sample,
  type ShardReport,
  type ShardSession,
  type SupervisorToAgent,
} from '../ipc/messages';
import type { AgentHandlers, AgentLink } from './agent-server';
import type { BotSpec } from './bot-spec';
import type { BroadcastMember } from './broadcast';
import type { Clock } from './clock';
import { LaunchError, type ClusterProcess, type ProcessExit } from './cluster-process';
import type { ConnectGate } from './connect/connect-gate';
import type { MasterEvent, MasterEventListener } from './events';
import { fatalSentence } from './fatal';
import { HangDetector } from './hang-detector';
import type { LocalIdentifyQueue } from './identify/local-identify-queue';
import { OutputTail, type OutputStream } from './output';
import { PermitDesk } from './permit-desk';
import type { HandoffStep, ReplaceOptions, ReplaceOutcome } from './handoff/replace';
import type { ClusterPlan } from './plan';
import { RestartPolicy, type RestartPolicyOptions } from './restart-policy';
import type { Roster, RosterEntry } from './roster';
import type { SessionStore } from './session-store';
import { ShardTable, type ObservedShard } from './shard-table';

/** Durations in ms. */
export interface ClusterSettings {
  spawnTimeoutMs: number;
  hangTimeoutMs: number;
  stopTimeoutMs: number;
  sampleIntervalMs: number;
  graceMs: number;
  restart: RestartPolicyOptions;
}

/** The part of the boot record that the cluster itself knows. */
export type ClusterBoot = Pick<
  BootRecord,
  'clusterId' | 'incarnation' | 'shardIds' | 'totalShards' | 'parkDir' | 'timings' | 'resume'
>;

export interface ClusterDeps {
  clock: Clock;
  settings: ClusterSettings;
  totalShards: number;
  roster: Roster;
  sessions: SessionStore;
  queue: LocalIdentifyQueue;
  gate: ConnectGate;
  /** @throws LaunchError */
  launch: (spec: BotSpec, boot: ClusterBoot, outFile: string, errFile: string) => ClusterProcess;
  emit: MasterEventListener;
  onBotMessage: (from: Cluster, message: unknown) => void;
  onGone: (cluster: Cluster, reason: string) => void;
  /** Discord closed a shard with a code that no restart cures. */
  onFatal: (cluster: Cluster, closeCode: number, message: string) => void;
}

export type ClusterState =
  | 'waiting'
  | 'booting'
  | 'starting'
  | 'ready'
  | 'degraded'
  | 'hung'
  | 'backoff'
  | 'crash-loop'
  | 'fatal'
  | 'stopping'
  | 'stopped';

/** What `status` shows of a cluster. */
export interface ObservedCluster {
  id: number;
  pid: number | null;
  state: ClusterState;
  shards: readonly number[];
  release: string;
  restarts: number;
  sample: Sample | null;
  cpuPercent: number | null;
  uptimeMs: number | null;
  agent: boolean | null;
  adopted: boolean;
  guilds: number;
  lastExit: string | null;
  retryAt: number | null;
  message: string | null;
  notices: string[];
}

/** Everything that belongs to one process and ends with it. */
interface Incarnation {
  id: string;
  spec: BotSpec;
  dir: string;
  process: ClusterProcess;
  spawnedAt: number;
  adopted: boolean;
  desk: PermitDesk;
  tails: Record<OutputStream, OutputTail>;
  link: AgentLink | null;
  hang: HangDetector | null;
  loggedIn: boolean;
  /** Its agent has its hook in discord.js. null: not known yet. */
  hooked: boolean | null;
  /** A bot whose agent sees nothing said `_ready` over discord.js's own channel. */
  saidReady: boolean;
  readyAt: number | null;
  hung: boolean;
  /** Why we ended it; null when it ended by itself. */
  killedFor: string | null;
  resumeSnapshot: string | null;
  cancelWatchdog: () => void;
  onParked: ((frame: Extract<AgentToSupervisor, { t: 'parked' }>) => void) | null;
  ended: Promise<void>;
}

type Rest =
  | { state: 'waiting' | 'stopped' }
  | { state: 'backoff' | 'crash-loop'; retryAt: number; cancel: () => void }
  | { state: 'fatal' };

/** After parking, a bot has this share of the stop deadline left for its own SIGTERM handler. */
const TERM_SHARE = 0.25;
/** Even under a forced deadline the kernel needs a moment to end a process, ms. */
const KILL_WAIT_MS = 5_000;
/** An adopted process whose agent does not attach in this time is ended, ms. */
const ADOPT_TIMEOUT_MS = 10_000;
/** Handlers and REST calls that run when the shards are closed may finish within this time, ms. */
const DRAIN_MS = 5_000;
/** A cluster that was started on demand has this long to get ready before nobody waits for it any more, ms. */
const SETTLE_TIMEOUT_MS = 120_000;
const SETTLED: ReadonlySet<ClusterState> = new Set(['ready', 'backoff', 'crash-loop', 'fatal', 'stopped']);
const POLL_MS = 20;

/**
 * One cluster: a process for a range of shards, kept alive by the restart policy. Its facts come from its agent; a
 * frame counts only when it belongs to the incarnation that runs now.
 */
export class Cluster implements BroadcastMember {
  readonly id: number;
  readonly shardIds: readonly number[];
  readonly #deps: ClusterDeps;
  readonly #policy: RestartPolicy;
  readonly #table: ShardTable;
  #spec: BotSpec;
  #run: Incarnation | null = null;
  #rest: Rest = { state: 'waiting' };
  #stopping = false;
  /** A cause that concerns the whole bot is latched: no new process until an operator starts it. */
  #held = false;
  #replacing: Promise<unknown> = Promise.resolve();
  #restarts = 0;
  #lastExit: string | null = null;
  #message: string | null = null;
  #notices = new Map<string, string>();
  #sample: Sample | null = null;
  #cpuPercent: number | null = null;
  #sessions = new Map<number, ShardSession>();

  /** `spec`: what its processes run until `replace` or `adopt` says otherwise. */
  constructor(plan: ClusterPlan, spec: BotSpec, deps: ClusterDeps) {
    this.#spec = spec;
    this.id = plan.id;
    this.shardIds = plan.shardIds;
    this.#deps = deps;
    this.#policy = new RestartPolicy(deps.settings.restart);
    this.#table = new ShardTable(plan.shardIds, deps.clock);
  }

  /** What the cluster runs, and respawns on. */
  get spec(): BotSpec {
    return this.#spec;
  }

  get incarnation(): string | null {
    return this.#run?.id ?? null;
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

  get shards(): ObservedShard[] {
    const run = this.#run;
    // Without the hook the bot's own word over discord.js's channel is all there is.
    const saidReady = run !== null && run.hooked !== true && run.saidReady;
    return this.#table.observe().map((shard) => (saidReady ? { ...shard, state: 'ready' } : shard));
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
      sample: this.#sample,
      cpuPercent: this.#cpuPercent,
      uptimeMs: run === null ? null : now - run.spawnedAt,
      agent: run?.hooked ?? null,
      adopted: run?.adopted ?? false,
      guilds: this.#table.guilds,
      lastExit: this.#lastExit,
      retryAt: 'retryAt' in this.#rest && run === null ? this.#rest.retryAt : null,
      message: this.#message,
      notices: [...this.#notices.values()],
    };
  }

  /** Starts the process now. `operator`: asked for by hand, so its identifies may use the reserve. */
  start({ operator = false }: { operator?: boolean } = {}): void {
    if (this.#run !== null) return;
    if ('cancel' in this.#rest) this.#rest.cancel();
    this.#rest = { state: 'waiting' };
    this.#stopping = false;
    this.#held = false;
    const { clock, roster, sessions, totalShards, settings } = this.#deps;
    const id = `c${this.id}-${randomBytes(6).toString('hex')}`;
    const dir = join(roster.dir, id);
    const saved = sessions.take(totalShards, this.shardIds);
    try {
      mkdirSync(dir, { mode: 0o700 });
      const boot: ClusterBoot = {
        clusterId: this.id,
        incarnation: id,
        shardIds: [...this.shardIds],
        totalShards,
        parkDir: dir,
        timings: { sampleIntervalMs: settings.sampleIntervalMs, graceMs: settings.graceMs },
        ...(saved !== null && { resume: { sessions: saved.sessions, snapshot: saved.snapshot } }),
      };
      const process = this.#deps.launch(this.#spec, boot, join(dir, 'out.log'), join(dir, 'err.log'));
      const run = this.#begin(id, dir, process, { spawnedAt: clock.now(), adopted: false, operator, offsets: [0, 0] });
      run.resumeSnapshot = saved?.snapshot ?? null;
      this.#writeRoster(run);
      this.#emit({
        type: 'cluster.spawned',
        cluster: this.id,
        pid: process.pid,
        incarnation: id,
        resumes: saved !== null,
      });
      this.#armWatchdog(run);
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
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
    const { roster, clock } = this.#deps;
    this.#spec = spec;
    this.#restarts = entry.restarts;
    const run = this.#begin(entry.incarnation, join(roster.dir, entry.incarnation), process, {
      spawnedAt: entry.spawnedAt,
      adopted: true,
      operator: false,
      offsets: [entry.outOffset, entry.errOffset],
    });
    this.#emit({ type: 'cluster.adopted', cluster: this.id, pid: process.pid, incarnation: run.id });
    run.cancelWatchdog = clock.after(ADOPT_TIMEOUT_MS, () => {
      if (run.link === null) this.#kill(run, 'did not attach to the new supervisor');
    });
  }

  /** The agent of this cluster's incarnation is here (again). */
  attach(link: AgentLink): AgentHandlers {
    const run = this.#run;
    if (run === null || run.id !== link.hello.incarnation) throw new Error('attach to another incarnation');
    run.link?.close();
    run.link = link;
    run.cancelWatchdog();
    this.#takeHello(run, link.hello);
    link.send({ t: 'welcome', supervisorPid: process.pid, timings: this.#timings });
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
        if (this.#run === run && run.link === link) this.#onFrame(run, frame);
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
    const run = this.#run;
    if (run === null) {
      if (this.#rest.state !== 'fatal') this.#rest = { state: 'stopped' };
      return;
    }
    if (!this.#stopping) {
      this.#stopping = true;
      run.cancelWatchdog();
      void this.#end(run, park);
    }
    await run.ended;
  }

  /** Ends the process at once. */
  kill(): void {
    this.#stopping = true;
    this.#run?.process.kill('SIGKILL');
  }

  /**
   * Puts a fresh process in the place of the one that runs, on `spec` if given. A cluster that does not run is started.
   * Resolves when the cluster is settled (ready, or down for good); never rejects. One at a time.
   */
  replace(options: ReplaceOptions = {}): Promise<ReplaceOutcome> {
    const replacing = this.#replacing.then(() => this.#replace(options));
    this.#replacing = replacing;
    return replacing;
  }

  async #replace({ spec = this.#spec, onStep, signal }: ReplaceOptions): Promise<ReplaceOutcome> {
    const { clock } = this.#deps;
    const startedAt = clock.now();
    const identifies = this.#table.identifies;
    const outcome = (how: ReplaceOutcome['how'], reason: string | null): ReplaceOutcome => ({
      how,
      reason,
      ready: this.state === 'ready',
      identifies: this.#table.identifies - identifies,
      gapMs: null,
      tookMs: clock.now() - startedAt,
      dropped: null,
    });
    if (signal?.aborted === true) return outcome('kept', 'given up before it began');
    const step = (name: HandoffStep): void => onStep?.(name);
    this.#policy.reset();
    step('stopping');
    await this.stop();
    this.#spec = spec;
    step('starting');
    this.start({ operator: true });
    await this.#settled();
    return outcome('restart', 'there is no handoff yet');
  }

  /** Ready, down, or slow beyond `SETTLE_TIMEOUT_MS`. */
  async #settled(): Promise<void> {
    const { clock } = this.#deps;
    const until = clock.now() + SETTLE_TIMEOUT_MS;
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

  deliver(message: unknown): void {
    this.#run?.link?.send({ t: 'bot', message });
  }

  /** Holds the cluster: another one met a cause that concerns all. A running process is left alone. */
  holdFatal(message: string): void {
    this.#held = true;
    this.#message = message;
    const run = this.#run;
    if (run !== null) {
      // A bot that is refused often lives on without a shard; one that serves already is left alone.
      if (run.readyAt === null && run.killedFor === null && !this.#stopping) {
        run.killedFor = message;
        run.cancelWatchdog();
        void this.#end(run, false);
      }
      return;
    }
    if ('cancel' in this.#rest) this.#rest.cancel();
    this.#rest = { state: 'fatal' };
  }

  /** Writes how far the output was read, so that an adopting supervisor goes on there. */
  checkpoint(): void {
    if (this.#run !== null && !this.#stopping) this.#writeRoster(this.#run);
  }

  #begin(
    id: string,
    dir: string,
    process: ClusterProcess,
    options: { spawnedAt: number; adopted: boolean; operator: boolean; offsets: [number, number] },
  ): Incarnation {
    const { queue, gate } = this.#deps;
    const send = (frame: SupervisorToAgent): void => run.link?.send(frame);
    const run: Incarnation = {
      id,
      spec: this.#spec,
      dir,
      process,
      spawnedAt: options.spawnedAt,
      adopted: options.adopted,
      desk: new PermitDesk(id, queue, gate, options.operator, send),
      tails: {
        out: this.#tail(dir, 'out', options.offsets[0], send),
        err: this.#tail(dir, 'err', options.offsets[1], send),
      },
      link: null,
      hang: null,
      loggedIn: false,
      hooked: null,
      saidReady: false,
      readyAt: null,
      hung: false,
      killedFor: null,
      resumeSnapshot: null,
      cancelWatchdog: () => undefined,
      onParked: null,
      ended: Promise.resolve(),
    };
    this.#run = run;
    this.#message = null;
    this.#notices.clear();
    this.#sample = null;
    this.#cpuPercent = null;
    run.tails.out.start();
    run.tails.err.start();
    run.ended = process.exited.then((exit) => this.#onExit(run, exit));
    return run;
  }

  #tail(dir: string, stream: OutputStream, offset: number, send: (frame: SupervisorToAgent) => void): OutputTail {
    return new OutputTail({
      file: join(dir, `${stream}.log`),
      stream,
      offset,
      onLine: (line) => this.#emit({ type: 'cluster.output', cluster: this.id, line }),
      onFull: (consumed) => send({ t: 'rotate', stream, consumed }),
      onSkipped: (bytes) => this.#emit({ type: 'cluster.output-skipped', cluster: this.id, bytes }),
    });
  }

  get #timings(): { sampleIntervalMs: number; graceMs: number } {
    const { sampleIntervalMs, graceMs } = this.#deps.settings;
    return { sampleIntervalMs, graceMs };
  }

  #takeHello(run: Incarnation, hello: Hello): void {
    run.hooked = hello.discordJs !== null ? true : run.hooked;
    run.loggedIn ||= hello.discordJs !== null && hello.shards.length > 0;
    for (const report of hello.shards) this.#updateShard(run, report);
    for (const session of hello.sessions) this.#sessions.set(session.shardId, session);
  }

  #onFrame(run: Incarnation, frame: Exclude<AgentToSupervisor, Hello>): void {
    run.hang?.alive();
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
      case 'shard':
        this.#updateShard(run, frame.report, frame);
        break;
      case 'sessions':
        for (const entry of frame.sessions) {
          if ('session' in entry) this.#sessions.delete(entry.shardId);
          else this.#sessions.set(entry.shardId, entry);
        }
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
        this.#notices.set(frame.code, frame.text);
        this.#emit({ type: 'cluster.notice', cluster: this.id, code: frame.code, text: frame.text });
        break;
      case 'notice-over':
        if (this.#notices.delete(frame.code)) {
          this.#emit({ type: 'cluster.notice-over', cluster: this.id, code: frame.code });
        }
        break;
      case 'parked':
        run.onParked?.(frame);
        break;
      case 'rotated':
        run.tails[frame.stream].rotated(frame.ok, frame.tail);
        break;
      case 'ready':
      case 'pong':
      case 'exiting':
        break;
    }
  }

  #onBotMessage(run: Incarnation, message: unknown): void {
    if (typeof message === 'object' && message !== null && '_ready' in message && run.hooked !== true) {
      run.saidReady = true;
      this.#noteReady(run);
    }
    this.#deps.onBotMessage(this, message);
  }

  #updateShard(run: Incarnation, report: ShardReport, change?: Extract<AgentToSupervisor, { t: 'shard' }>): void {
    const changed = this.#table.update(report) !== null;
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
    if (this.#table.allReady) this.#noteReady(run);
  }

  #onDeadShard(closeCode: number): void {
    const message = fatalSentence(closeCode);
    if (message === null) return;
    this.#message = message;
    this.#emit({ type: 'cluster.fatal', cluster: this.id, closeCode, message });
    this.#deps.onFatal(this, closeCode, message);
  }

  #noteReady(run: Incarnation): void {
    if (run.readyAt !== null) return;
    run.readyAt = this.#deps.clock.now();
    run.cancelWatchdog();
    this.#discardResumeSnapshot(run);
    this.#emit({ type: 'cluster.ready', cluster: this.id, tookMs: run.readyAt - run.spawnedAt });
  }

  #isReady(run: Incarnation): boolean {
    return run.hooked === true ? this.#table.allReady : run.saidReady;
  }

  #takeSample(run: Incarnation, sample: Sample): void {
    const previous = this.#sample;
    if (previous !== null && sample.uptimeMs > previous.uptimeMs) {
      const cpu = sample.cpuUserMs + sample.cpuSystemMs - previous.cpuUserMs - previous.cpuSystemMs;
      this.#cpuPercent = (100 * cpu) / (sample.uptimeMs - previous.uptimeMs);
    }
    this.#sample = sample;
    for (const report of sample.shards) this.#updateShard(run, report);
    const { id: incarnation, adopted } = run;
    this.#emit({ type: 'cluster.sample', cluster: this.id, incarnation, adopted, sample });
  }

  /** A start that makes no progress is ended. Time spent waiting for our own permits does not count. */
  #armWatchdog(run: Incarnation): void {
    run.cancelWatchdog();
    if (run.readyAt !== null || this.#stopping) return;
    const { clock, settings } = this.#deps;
    run.cancelWatchdog = clock.after(settings.spawnTimeoutMs, () => {
      if (this.#run !== run || run.readyAt !== null) return;
      if (this.#table.someWaitForUs) return this.#armWatchdog(run);
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

  async #end(run: Incarnation, park: boolean): Promise<void> {
    const { clock, settings } = this.#deps;
    const deadline = clock.now() + settings.stopTimeoutMs;
    if (park && run.link !== null && run.hooked === true) {
      await this.#park(run, settings.stopTimeoutMs * (1 - TERM_SHARE));
    }
    run.process.kill('SIGTERM');
    await this.#orAfter(run.process.exited, deadline - clock.now());
    run.process.kill('SIGKILL');
    await this.#orAfter(run.process.exited, KILL_WAIT_MS);
  }

  async #park(run: Incarnation, timeoutMs: number): Promise<void> {
    const parked = new Promise<Extract<AgentToSupervisor, { t: 'parked' }>>((resolve) => (run.onParked = resolve));
    run.link?.send({ t: 'park', drainMs: Math.min(DRAIN_MS, timeoutMs / 2), snapshot: true });
    const frame = await this.#orAfter(Promise.race([parked, run.process.exited.then(() => null)]), timeoutMs);
    if (frame === null) return;
    this.#emit({
      type: 'cluster.parked',
      cluster: this.id,
      sessions: frame.sessions.length,
      snapshot: frame.snapshot !== null,
      tookMs: frame.tookMs,
    });
    this.#saveSessions(frame.sessions, frame.snapshot);
  }

  #saveSessions(sessions: ShardSession[], snapshot: string | null): void {
    if (snapshot === null || sessions.length !== this.shardIds.length) return;
    const { clock, totalShards } = this.#deps;
    try {
      this.#deps.sessions.save({ totalShards, shardIds: this.shardIds, sessions, snapshot, savedAt: clock.now() });
    } catch (error) {
      const text = `sessions could not be saved (${(error as Error).message}); the next start identifies`;
      this.#emit({ type: 'cluster.notice', cluster: this.id, code: 'snapshot-failed', text });
    }
  }

  /** null when the time is over first. */
  async #orAfter<T>(promise: Promise<T>, ms: number): Promise<T | null> {
    let cancel = (): void => undefined;
    const timeout = new Promise<null>((resolve) => {
      cancel = this.#deps.clock.after(ms, () => resolve(null));
    });
    try {
      return await Promise.race([promise, timeout]);
    } finally {
      cancel();
    }
  }

  async #onExit(run: Incarnation, exit: ProcessExit): Promise<void> {
    const { clock, roster } = this.#deps;
    const now = clock.now();
    run.cancelWatchdog();
    run.hang?.stop();
    run.link?.close();
    run.link = null;
    run.desk.release();
    await Promise.all([run.tails.out.stop(), run.tails.err.stop()]);
    // It may have ended on its own terms (grace time, signal by hand) and left its sessions.
    if (!this.#stopping || run.onParked === null) this.#collectParked(run);
    this.#discardResumeSnapshot(run);
    roster.remove(run.id);
    rmSync(run.dir, { recursive: true, force: true });

    this.#run = null;
    this.#table.reset();
    this.#sessions.clear();
    const reason = run.killedFor ?? describeExit(exit);
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
    const cancel = clock.after(decision.delayMs, () => this.start());
    this.#rest = { state: decision.state, retryAt: clock.now() + decision.delayMs, cancel };
  }

  #collectParked(run: Incarnation): void {
    const record = readParked(run.dir);
    if (record !== null && record.totalShards === this.#deps.totalShards)
      this.#saveSessions(record.sessions, record.snapshot);
  }

  #discardResumeSnapshot(run: Incarnation): void {
    if (run.resumeSnapshot !== null) rmSync(run.resumeSnapshot, { force: true });
    run.resumeSnapshot = null;
  }

  #writeRoster(run: Incarnation): void {
    const { roster, totalShards } = this.#deps;
    const { release, fingerprint } = run.spec;
    roster.write({
      clusterId: this.id,
      incarnation: run.id,
      pid: run.process.pid,
      startTime: run.process.startTime,
      shardIds: [...this.shardIds],
      totalShards,
      release,
      fingerprint,
      restarts: this.#restarts,
      spawnedAt: run.spawnedAt,
      outOffset: run.tails.out.offset,
      errOffset: run.tails.err.offset,
    });
  }

  #emit(event: MasterEvent): void {
    this.#deps.emit(event);
  }
}

/** What an agent without a supervisor left in its folder, or null. */
export function readParked(dir: string): ParkedRecord | null {
  try {
    const record = JSON.parse(readFileSync(join(dir, PARKED_FILE), 'utf8')) as ParkedRecord;
    return Array.isArray(record.sessions) ? record : null;
  } catch {
    return null;
  }
}

function describeExit({ code, signal }: ProcessExit): string {
  if (signal !== null) return `ended by ${signal}`;
  return code === null ? 'ended (exit status unknown)' : `exit code ${code}`;
}
