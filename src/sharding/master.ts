import { existsSync, rmSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { PROTOCOL_VERSION, TOOK_OVER_FILE, type BootRecord, type GatewayBot, type Hello } from '../ipc/messages';
import type { RestGuardBoot } from '../ipc/rest-guard';
import { AgentServer, type AgentHandlers, type AgentLink } from './agent-server';
import type { BotSpec } from './bot-spec';
import { Broadcaster } from './broadcast';
import type { Clock } from '../clock';
import { Cluster } from './cluster/cluster';
import type { ClusterBoot, ClusterSettings } from './cluster/cluster-deps';
import type { ObservedCluster } from './cluster/observed-cluster';
import { adoptCluster, isAlive, launchCluster, type ClusterProcess } from './cluster/cluster-process';
import { ConnectGate, type ConnectGateView } from './connect/connect-gate';
import type { MasterEventListener } from './events';
import { sortLeftovers } from './handoff/leftovers';
import { Turns } from './handoff/turns';
import { IdentifyBudget, type BudgetView } from './identify/budget';
import { FileIdentifyLedger } from './identify/ledger';
import { LocalIdentifyQueue } from './identify/local-identify-queue';
import { readLeft } from './cluster/incarnation';
import { FatalLatch } from './latch';
import type { ClusterPlan, ShardPlan } from './plan';
import { Reaper } from './reaper';
import { Regrouper, type RegroupingOptions, type RegroupOutcome } from './regrouper';
import { Roster, type RosterEntry } from './roster';
import { FileSessionStore, SESSIONS_DIR, type SessionStore } from './session-store';
import type { ObservedShard } from './cluster/shard-table';

/** Durations in ms. */
export interface MasterOptions {
  plan: ShardPlan;
  /** What clusters run that nobody has said otherwise of. */
  bot: BotSpec;
  /**
   * What a cluster of an earlier supervisor runs, by the release in its roster entry: it is adopted if the fingerprint is
   * still the same, and started again on its own release if it is dead. null: that release is not known any more. Absent:
   * only `bot` is known.
   */
  specOf?: (release: string) => BotSpec | null;
  gateway: GatewayBot;
  /** When `gateway` was asked for, ms since the epoch. */
  gatewayAsOf: number;
  /** REST base URL handed to the bots. */
  discordApi: string;
  /** How the bots reach the REST guard, given the number of clusters; null: there is none. */
  restGuard: (clusters: number) => RestGuardBoot | null;
  /** State folder (0700). */
  stateDir: string;
  /** Path of the socket for agents, short enough for the kernel. */
  agentSocket: string;
  cluster: ClusterSettings;
  identify: { reserve: number; intervalMs: number; marginMs: number };
  gate: { backoffMinMs: number; backoffMaxMs: number; failureThreshold: number };
  broadcastTimeoutMs: number;
  /** Asks Discord for /gateway/bot again; rejects when it is not answered. */
  refreshGateway: () => Promise<GatewayBot>;
  clock: Clock;
  emit: MasterEventListener;
}

export interface MasterView {
  totalShards: number;
  clusters: ObservedCluster[];
  shards: (ObservedShard & { cluster: number })[];
  identify: { budget: BudgetView | null; maxConcurrency: number; queued: number; blocked: string | null };
  gate: ConnectGateView;
  fatal: string | null;
}

/** How often the roster learns how far the clusters' output was read, ms. */
const CHECKPOINT_MS = 1_000;
/** /gateway/bot is asked again at least this often while identifies are spent, ms. */
const RECONCILE_MS = 5 * 60 * 1_000;
/** Clusters that may save their caches at the same time when all are stopped. */
const STOP_CONCURRENCY = Math.max(2, availableParallelism());
/** Clusters that may boot at the same time: more would only slow each other down. */
const BOOT_CONCURRENCY = Math.max(2, availableParallelism());
/** A cluster counts as booted when it has called login(), or after this time, ms. */
const BOOT_SLOT_MS = 10_000;
const POLL_MS = 20;
/** Spawns and supervises the clusters of this host. */
export class Master {
  readonly #options: MasterOptions;
  #clusters: Cluster[];
  #totalShards: number;
  readonly #regrouper: Regrouper;
  readonly #queue: LocalIdentifyQueue;
  readonly #budget: IdentifyBudget;
  readonly #ledger: FileIdentifyLedger;
  readonly #gate: ConnectGate;
  readonly #turns = new Turns();
  readonly #agents: AgentServer;
  readonly #broadcaster: Broadcaster;
  readonly #roster: Roster;
  readonly #reaper: Reaper;
  readonly #sessions: SessionStore;
  readonly #latch: FatalLatch;
  #timers: (() => void)[] = [];
  #stopping = false;
  #refreshing = false;
  #saveUntil = 0;

  constructor(options: MasterOptions) {
    this.#options = options;
    const { clock, emit, plan, stateDir } = options;
    this.#roster = new Roster(join(stateDir, 'clusters'));
    const { graceMs, stopTimeoutMs } = options.cluster;
    this.#reaper = new Reaper({ roster: this.#roster, graceMs, stopTimeoutMs });
    this.#sessions = new FileSessionStore(join(stateDir, SESSIONS_DIR), () => clock.now());
    this.#latch = new FatalLatch(join(stateDir, 'fatal.json'), options.bot.fingerprint);
    this.#ledger = new FileIdentifyLedger(join(stateDir, 'identify-ledger.jsonl'), clock, (error) => {
      emit({
        type: 'identify.blocked',
        reason: `the identify ledger cannot be written (${error.message}); counting in memory`,
      });
    });
    this.#budget = new IdentifyBudget(this.#ledger, clock, options.identify.reserve);
    this.#budget.reconcile(options.gateway.session_start_limit, options.gatewayAsOf);
    this.#queue = new LocalIdentifyQueue({
      ledger: this.#ledger,
      budget: this.#budget,
      clock,
      intervalMs: options.identify.intervalMs,
      marginMs: options.identify.marginMs,
      maxConcurrency: options.gateway.session_start_limit.max_concurrency,
      onBudgetRefused: (reason) => {
        emit({ type: 'identify.blocked', reason });
        void this.#reconcile();
      },
    });
    this.#gate = new ConnectGate({
      clock,
      ...options.gate,
      onChange: (view) => emit({ type: 'gateway.gate', view }),
      onAttempt: (key, reason) => emit({ type: 'gateway.attempt', shard: Number(key.split('/')[1]), reason }),
    });
    this.#broadcaster = new Broadcaster({
      members: () => this.#clusters,
      clock,
      timeoutMs: options.broadcastTimeoutMs,
      respawnAll: ({ shardDelay, respawnDelay }) => void this.#respawnAll(shardDelay, respawnDelay),
    });
    this.#agents = new AgentServer({
      path: options.agentSocket,
      accept: (link) => this.#accept(link),
      onRefused: (reason, hello: Hello | null) => emit({ type: 'agent.refused', reason, pid: hello?.pid ?? null }),
    });
    this.#totalShards = plan.totalShards;
    this.#clusters = plan.clusters.map((cluster) => this.#newCluster(cluster, options.bot, plan.totalShards));
    this.#regrouper = new Regrouper({
      plan: () => ({ totalShards: this.#totalShards, clusters: this.#clusters }),
      newCluster: (cluster, spec, totalShards) => this.#newCluster(cluster, spec, totalShards),
      exchange: (old, fresh, totalShards) => {
        const stay = this.#clusters.filter((cluster) => !old.includes(cluster));
        this.#clusters = [...stay, ...fresh].sort((a, b) => a.id - b.id);
        this.#totalShards = totalShards;
      },
      mayStart: () => this.#mayStart(),
      ...{ settings: options.cluster, clock, emit },
    });
  }

  /** Listens for agents, adopts what an earlier supervisor left running, and starts the rest. */
  async start(): Promise<void> {
    this.#reaper.start();
    await this.#agents.listen();
    await this.#takeOver();
    this.#every(CHECKPOINT_MS, () => {
      for (const cluster of this.#all) cluster.checkpoint();
    });
    this.#every(RECONCILE_MS, () => void this.#reconcile());
    const latched = this.#latch.current;
    if (latched !== null) {
      this.#hold(latched.closeCode, latched.message);
      return;
    }
    void this.#bootAll();
  }

  view(): MasterView {
    return {
      totalShards: this.#totalShards,
      clusters: this.#clusters.map((cluster) => cluster.observe()),
      shards: this.#clusters.flatMap((cluster) => cluster.shards.map((shard) => ({ ...shard, cluster: cluster.id }))),
      identify: {
        budget: this.#budget.view(),
        maxConcurrency: this.#queue.maxConcurrency,
        queued: this.#queue.queued,
        blocked: this.#queue.blocked,
      },
      gate: this.#gate.view,
      fatal: this.#latch.current?.message ?? null,
    };
  }

  cluster(id: number): Cluster | undefined {
    return this.#clusters.find((cluster) => cluster.id === id);
  }

  clusterOfShard(shardId: number): Cluster | undefined {
    return this.#clusters.find((cluster) => cluster.shardIds.includes(shardId));
  }

  /** Discord itself is out, or is back: connections and IDENTIFYs are tried one by one and slowly until they work. */
  caution(on: boolean): void {
    this.#gate.caution(on);
    this.#queue.caution(on);
  }

  /** Has other clusters take the place of those that there are, see Regrouper. */
  async regroup(target: ShardPlan, options: RegroupingOptions): Promise<RegroupOutcome[]> {
    return await this.#regrouper.regroup(target, options);
  }

  /** Tries the gateway at once, whatever the delay. */
  probeGateway(): void {
    this.#gate.probeNow();
  }

  /** Until then (ms since the epoch) nothing is started again that can wait and would spend identifies. */
  saveIdentifies(until: number): void {
    this.#saveUntil = until;
  }

  /** Nothing is started again that can wait and would spend identifies. */
  get savesIdentifies(): boolean {
    return this.#options.clock.now() < this.#saveUntil;
  }

  get clusters(): readonly Cluster[] {
    return this.#clusters;
  }

  /** An operator says the cause is cured: held clusters may be started again. */
  clearFatal(): void {
    this.#latch.clear();
    this.#queue.resume();
  }

  /** Stops all clusters, the last started first, each within its deadline. Sessions are saved. */
  async stop(onStopped: (cluster: Cluster) => void = () => undefined): Promise<void> {
    this.#stopping = true;
    await this.#regrouper.stop();
    const left = [...this.#clusters].reverse();
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        await next.stop();
        onStopped(next);
      }
    };
    await Promise.all(Array.from({ length: STOP_CONCURRENCY }, worker));
  }

  /** Ends all processes at once. */
  kill(): void {
    this.#stopping = true;
    for (const cluster of this.#all) cluster.kill();
  }

  /** Closes the agents' socket and the ledger; call after `stop` or `kill`. */
  async close(): Promise<void> {
    for (const cancel of this.#timers) cancel();
    await this.#agents.close();
    await this.#reaper.stop();
    this.#ledger.close();
  }

  #newCluster(plan: ClusterPlan, spec: BotSpec, totalShards: number): Cluster {
    const { clock, cluster: settings, agentSocket, emit } = this.#options;
    return new Cluster(plan, spec, {
      clock,
      settings,
      totalShards,
      roster: this.#roster,
      sessions: this.#sessions,
      queue: this.#queue,
      gate: this.#gate,
      turns: this.#turns,
      socketDir: dirname(agentSocket),
      launch: (bot, boot, outFile, errFile) => this.#launch(bot, boot, outFile, errFile),
      emit,
      mayRetryCrashLoop: () => !this.savesIdentifies,
      onBotMessage: (from, message) => void this.#broadcaster.onMessage(from, message),
      onGone: (from, reason) => {
        // Another one may have its number by now.
        if (this.cluster(from.id) === from || this.cluster(from.id) === undefined) {
          this.#broadcaster.onMemberGone(from.id, reason);
        }
      },
      onFatal: (closeCode, message) => this.#hold(closeCode, message),
    });
  }

  get #all(): Cluster[] {
    return [...this.#clusters, ...this.#regrouper.coming];
  }

  #launch(bot: BotSpec, boot: ClusterBoot, outFile: string, errFile: string): ClusterProcess {
    const { gateway, discordApi, restGuard, agentSocket } = this.#options;
    const record: BootRecord = {
      ...boot,
      protocol: PROTOCOL_VERSION,
      release: bot.release,
      socketPath: agentSocket,
      env: bot.secretEnv,
      discordApi,
      restGuard: restGuard(this.#clusters.length),
      gateway,
    };
    return launchCluster({
      execPath: bot.execPath,
      args: bot.args,
      cwd: bot.cwd,
      env: bot.env,
      outFile,
      errFile,
      bootFile: join(this.#roster.dir, boot.incarnation, 'boot'),
      boot: record,
    });
  }

  #accept(link: AgentLink): AgentHandlers | null {
    const cluster = this.#all.find(({ incarnations }) => incarnations.includes(link.hello.incarnation));
    return cluster === undefined ? null : cluster.attach(link);
  }

  /** Starts clusters in order, a few at a time; their boot overlaps with the waits of the identify queue. */
  async #bootAll(): Promise<void> {
    const left = this.#clusters.filter(({ incarnation }) => incarnation === null);
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined && this.#mayStart(); next = left.shift()) {
        next.start();
        await this.#booted(next);
      }
    };
    await Promise.all(Array.from({ length: BOOT_CONCURRENCY }, worker));
  }

  /** False while we stop, and while a fatal cause holds all clusters. */
  #mayStart(): boolean {
    return !this.#stopping && this.#latch.current === null;
  }

  #booted(cluster: Cluster): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + BOOT_SLOT_MS;
    return new Promise((resolve) => {
      const look = (): void => {
        if (cluster.state !== 'booting' || clock.now() >= until) resolve();
        else clock.after(POLL_MS, look);
      };
      look();
    });
  }

  async #takeOver(): Promise<void> {
    const { plan, clock } = this.#options;
    const strangers: RosterEntry[] = [];
    const entries = this.#roster.read();
    const leftovers = sortLeftovers(entries, {
      isAlive: ({ pid, startTime }) => isAlive(pid, startTime),
      hasTakenOver: ({ incarnation }) => existsSync(join(this.#roster.dir, incarnation, TOOK_OVER_FILE)),
    });
    for (const entry of entries) {
      const process = adoptCluster(entry.pid, entry.startTime, clock);
      const leftover = leftovers.get(entry.incarnation);
      if (process !== null && leftover !== 'adopt') {
        if (leftover === 'kill') process.kill('SIGKILL');
        strangers.push(entry);
        continue;
      }
      const cluster = this.#clusters.find(({ id, shardIds, incarnation }) => {
        return id === entry.clusterId && incarnation === null && String(shardIds) === String(entry.shardIds);
      });
      const spec = this.#specOf(entry.release);
      if (process === null) {
        // A successor that never took over says nothing about what the cluster runs.
        if (spec !== null && entry.successorOf === undefined) cluster?.assign(spec);
        this.#collect(entry);
        continue;
      }
      const fits = entry.totalShards === plan.totalShards && entry.fingerprint === spec?.fingerprint;
      if (cluster !== undefined && fits) cluster.adopt(entry, spec, process);
      else strangers.push(entry);
    }
    await Promise.all(strangers.map((entry) => this.#sendAway(entry)));
    this.#sweep();
  }

  #specOf(release: string): BotSpec | null {
    const { bot, specOf } = this.#options;
    return specOf?.(release) ?? (release === bot.release ? bot : null);
  }

  /** A process of another plan: its agent is told to leave as it attaches; it may not live beside its successor. */
  async #sendAway(entry: RosterEntry): Promise<void> {
    const { clock, cluster } = this.#options;
    const until = clock.now() + cluster.stopTimeoutMs;
    while (isAlive(entry.pid, entry.startTime) && clock.now() < until) {
      await new Promise<void>((resolve) => clock.after(POLL_MS, resolve));
    }
    const process = adoptCluster(entry.pid, entry.startTime, clock);
    process?.kill('SIGKILL');
    await process?.exited;
    this.#collect(entry);
  }

  /** What a dead cluster left: its sessions. */
  #collect(entry: RosterEntry): void {
    const dir = join(this.#roster.dir, entry.incarnation);
    const left = readLeft(dir);
    if (left !== null && left.totalShards === this.#options.plan.totalShards) {
      try {
        this.#sessions.save(left);
      } catch {
        // the snapshot is gone: the shards identify
      }
    }
    this.#roster.remove(entry.incarnation);
    rmSync(dir, { recursive: true, force: true });
  }

  /** Folders of incarnations that nobody knows any more. */
  #sweep(): void {
    const known = new Set(this.#clusters.flatMap(({ incarnations }) => incarnations));
    for (const entry of readdirSync(this.#roster.dir, { withFileTypes: true })) {
      if (entry.isDirectory() && !known.has(entry.name)) {
        rmSync(join(this.#roster.dir, entry.name), { recursive: true, force: true });
      }
    }
  }

  #hold(closeCode: number, message: string): void {
    if (this.#latch.current === null) this.#latch.set(closeCode, message, this.#options.clock.now());
    this.#queue.halt(message);
    for (const cluster of this.#clusters) cluster.holdFatal(message);
  }

  async #reconcile(): Promise<void> {
    if (this.#refreshing || this.#stopping) return;
    this.#refreshing = true;
    const asOf = this.#options.clock.now();
    try {
      const gateway = await this.#options.refreshGateway();
      this.#options.gateway.session_start_limit = gateway.session_start_limit;
      this.#budget.reconcile(gateway.session_start_limit, asOf);
      this.#queue.setMaxConcurrency(gateway.session_start_limit.max_concurrency);
      this.#queue.budgetChanged();
    } catch {
      // the ledger carries on alone until the next time
    } finally {
      this.#refreshing = false;
    }
  }

  /** `client.shard.respawnAll()` of a bot, at the pace it asked for. */
  async #respawnAll(shardDelay: number, respawnDelay: number): Promise<void> {
    const wait = (ms: number): Promise<void> => new Promise((resolve) => void this.#options.clock.after(ms, resolve));
    if (this.savesIdentifies) {
      this.#options.emit({ type: 'identify.saved', what: 'respawnAll of the bot is not carried out' });
      return;
    }
    for (const cluster of this.#clusters) {
      if (!this.#mayStart()) return;
      await cluster.stop();
      await wait(respawnDelay);
      if (!this.#mayStart()) return;
      cluster.start();
      await wait(shardDelay);
    }
  }

  #every(ms: number, run: () => void): void {
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel = this.#options.clock.after(ms, () => {
        run();
        arm();
      });
    };
    arm();
    this.#timers.push(() => cancel());
  }
}
