import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'discord.js';
import {
  LEAVING_FILE,
  PARKED_FILE,
  PROTOCOL_VERSION,
  type AgentTimings,
  type BootRecord,
  type Hello,
  type NoticeCode,
  type ParkedRecord,
  type ShardReport,
  type ShardSession,
  type SupervisorToAgent,
} from '../ipc/messages';
import type { Readings } from '../ipc/readings';
import type { Remedy, RemedyOutcome } from '../ipc/remedies';
import { processStartTime } from '../ipc/process-start-time';
import { SDK_BRIDGE, SDK_BRIDGE_VERSION, type SdkBridge, type StopHandler } from '../ipc/sdk-bridge';
import { BotChannel } from './bot-channel';
import { Channel } from './channel';
import { Lifecycle } from './lifecycle';
import { ManagedClient, type Parked } from './client/managed-client';
import { GiveWay } from './give-way';
import { AgentHandoff } from './handoff/agent-handoff';
import { AgentMetrics } from './metrics/agent-metrics';
import { watchModules, type DiscordJs } from './module-hook';
import { boundOutput, rotateOutput } from './output';
import { Permits } from './permits';
import { RouteBreakers } from './rest/route-breakers';
import { GuardedRest, type RestModule, type UndiciAgent } from './rest/guarded-rest';
import { Sampler } from './sampler';
import { TermSignal } from './term-signal';

/** Sessions are reported this often, ms, when they have changed. */
const SESSIONS_INTERVAL_MS = 1_000;
/** Without a supervisor nobody reads the output files: they are emptied at this size, bytes. */
const UNREAD_OUTPUT_BYTES = 64 * 1024 * 1024;
/** Time for handlers and REST calls when a cluster without supervisor parks, ms. */
const LONE_DRAIN_MS = 5_000;
/** After it has parked on its own, the bot's SIGTERM handlers have this time, ms. */
const TERM_TIMEOUT_MS = 5_000;
/** A program that must not run here is kept so long, ms, at most, until the supervisor has been told why. */
const REFUSAL_MS = 2_000;
/** REST base URL of discord.js itself. */
const STOCK_API = 'https://discord.com/api';
const SUPPORTED_MAJOR = '14';

/** What runs in the bot's process. Nothing in here may throw into the bot. */
export class Agent {
  readonly #channel: Channel;
  readonly #bot: BotChannel;
  readonly #permits: Permits;
  readonly #sampler: Sampler;
  readonly #metrics = new AgentMetrics(
    (text) => console.warn(`botctl: ${text}`),
    () => this.#first?.answered(),
  );
  readonly #guardedRest: GuardedRest | null;
  readonly #routeBreakers = new RouteBreakers({
    onChange: (route, reason) => {
      this.#guard(() => this.#metrics.circuit(route, reason !== null));
      this.#lifecycle.report(`rest:${route}`, reason);
    },
    onRefused: (route) => this.#guard(() => this.#metrics.circuitRefused(route)),
  });
  /** A successor is in no hurry while its predecessor serves. */
  readonly #giveWay: GiveWay | null;
  readonly #handoff: AgentHandoff;
  readonly #clients = new Map<Client, ManagedClient>();
  readonly #reported = new Map<number, string>();
  readonly #notices = new Map<NoticeCode, string>();
  readonly #stopHandlers = new Set<StopHandler>();
  readonly #lifecycle: Lifecycle;
  #bridge: SdkBridge | null = null;
  #timings: AgentTimings;
  #discordJs: string | null = null;
  #everAttached = false;
  #wasReady = false;
  #parking: Promise<Parked> | null = null;
  /** The next SIGTERM is for the bot. */
  #ending = false;
  #graceTimer: NodeJS.Timeout | null = null;
  #sampleTimer: NodeJS.Timeout | null = null;

  constructor(private readonly boot: BootRecord) {
    this.#timings = boot.timings;
    this.#channel = new Channel({
      path: boot.socketPath,
      hello: () => this.#hello(),
      onFrame: (frame) => this.#guard(() => this.#onFrame(frame)),
      onAttached: () => this.#guard(() => this.#onAttached()),
      onDetached: () => this.#guard(() => this.#onDetached()),
    });
    this.#bot = new BotChannel(process, this.#channel);
    this.#permits = new Permits((frame) => this.#channel.send(frame));
    this.#guardedRest = this.#makeGuardedRest();
    this.#lifecycle = new Lifecycle({
      sweepMessages: () => [...this.#clients.values()].reduce((sum, client) => sum + client.sweepMessages(), 0),
      dataRemedy: () => this.#bridge?.dataRemedy ?? null,
      dropDataCache: () => this.#bridge?.dropDataCache?.() ?? 0,
    });
    this.#giveWay = boot.handoff === undefined ? null : new GiveWay();
    this.#handoff = new AgentHandoff({
      boot,
      giveWay: this.#giveWay,
      clients: () => ({ first: this.#first, count: this.#clients.size }),
      send: (frame) => this.#channel.send(frame),
      drain: (deadlineMs) => this.#lifecycle.drain({ reason: 'handoff', deadlineMs }),
      callStopHandlers: () => this.#callStopHandlers(),
      leave: async (client, shardIds) => {
        this.#keepParked(await client.save(shardIds, join(boot.parkDir, 'snapshot')));
      },
      sample: () => this.#guard(() => this.#sample()),
      end: () => this.#end(),
    });
    this.#sampler = new Sampler(
      () => this.#reports(),
      () => this.#bridge?.dataSample?.() ?? null,
      () => this.#readings(),
    );
  }

  #makeGuardedRest(): GuardedRest | null {
    const { restGuard: guard, discordApi: api, clusterId } = this.boot;
    if (guard === null) return null;
    const onPath = (reason: string | null): void => {
      if (reason === null) return this.#noticeOver('rest-direct');
      const pace = `at most ${guard.directPerSecond} per second`;
      this.#notice('rest-direct', `the REST guard is not there (${reason}): calls go to Discord directly, ${pace}`);
    };
    return new GuardedRest({ guard, api, clusterId, onPath });
  }

  start(): void {
    watchModules({
      onLoad: () => {
        if (this.#first === undefined) this.#giveWay?.pauseNow();
      },
      onDiscordJs: (exports) => this.#onDiscordJs(exports),
      onRest: (exports, require) => this.#onRest(exports, require),
      onError: (error) => this.#onError(error),
    });
    subscribe('undici:request:create', (message) => this.#guard(() => this.#onRequest(message)));
    this.#bot.install();
    this.#openBridge();
    new TermSignal(process, () => this.#holdTerm()).install();
    process.on('exit', (code) => {
      this.#guard(() => this.#sample());
      this.#channel.send({ t: 'exiting', code });
    });
    setInterval(() => this.#guard(() => this.#reportSessions()), SESSIONS_INTERVAL_MS).unref();
    this.#schedule();
    this.#channel.start();
  }

  #onDiscordJs(exports: DiscordJs): void {
    if (exports.version.split('.', 1)[0] !== SUPPORTED_MAJOR) {
      const text = `discord.js ${exports.version} is not known to botctl (14 is): no identify queue, no sessions`;
      this.#notice('unsupported-discord-js', text);
      return;
    }
    this.#discordJs ??= exports.version;
    const { prototype } = exports.Client;
    const login = prototype.login;
    const adopt = (client: Client, token: string | undefined): void => {
      this.#guard(() => this.#adopt(client, exports, token));
    };
    prototype.login = function (this: Client, token?: string): Promise<string> {
      adopt(this, token);
      return login.call(this, token);
    };
    const refuse = async (): Promise<never> => {
      const text = "bot.entry starts discord.js's ShardingManager; set it to the file which that manager spawns";
      this.#notice('sharding-manager', text);
      // The rejection ends most such programs at once: the supervisor shall hear of it first.
      for (const end = Date.now() + REFUSAL_MS; Date.now() < end && !this.#channel.attached;) await delay(10);
      throw new Error("botctl is the sharding manager: set bot.entry to the bot's own file");
    };
    // It would start every shard once more in each cluster, past the identify queue.
    exports.ShardingManager.prototype.spawn = refuse;
  }

  #onRest(exports: RestModule, require: (name: string) => unknown): void {
    if (this.boot.discordApi !== STOCK_API) exports.DefaultRestOptions.api = this.boot.discordApi;
    if (this.#guardedRest === null) return;
    const { Agent: undici } = require('undici') as { Agent: UndiciAgent };
    if (this.#guardedRest.install(exports, undici)) return;
    this.#notice('rest-direct', 'REST calls do not pass the guard: it takes discord.js 14.12 or newer');
  }

  /** A gateway is asked for although no client that we know logs in: discord.js is inside a bundle. */
  #onRequest(message: unknown): void {
    const { path } = (message as { request: { path?: string } }).request;
    if (this.#clients.size > 0 || path === undefined || !/\/gateway\/bot$/.test(path)) return;
    this.#notice('bundled-discord-js', 'discord.js is part of a bundle, out of reach: no identify queue, no sessions');
  }

  #adopt(client: Client, { version, SimpleShardingStrategy }: DiscordJs, token = client.token ?? undefined): void {
    if (this.#clients.has(client)) return;
    if (this.#clients.size > 0) {
      const other = token?.replace(/^(Bot|Bearer)\s*/i, '') !== this.boot.env['DISCORD_TOKEN'];
      this.#notice(
        'several-clients',
        other
          ? 'a further client with another token logs in; botctl leaves it alone'
          : 'more than one client logs in: shards are shown for the first one, no session survives a restart',
      );
      if (other) return;
    }
    const first = this.#clients.size === 0;
    const managed = new ManagedClient({
      client,
      discordJs: version,
      defaultStrategy: (manager) => new SimpleShardingStrategy(manager),
      boot: this.boot,
      resume: first ? (this.boot.resume ?? null) : null,
      successor: first ? this.#handoff.successor : null,
      newcomer: first ? this.#handoff.newcomer : null,
      onSuccessorFailed: (error) => this.#handoff.onSuccessorFailed(error),
      permits: this.#permits,
      send: (frame) => this.#channel.send(frame),
      onShard: ({ report, closeCode, replayed }) => {
        if (!first) return;
        this.#channel.send({
          t: 'shard',
          report,
          ...(closeCode !== undefined && { closeCode }),
          ...(replayed !== undefined && { replayed }),
        });
        this.#checkReady();
      },
      onDispatch: (payload) => this.#guard(() => this.#metrics.dispatch(payload)),
      inHand: () => this.#metrics.interactionsInHand,
      onLost: (count) => this.#onLost(count),
      notice: (code, text) => this.#notice(code, text),
    });
    managed.install();
    this.#clients.set(client, managed);
    // The guard looks for an instance that nobody has changed; measuring changes it.
    this.#guard(() => this.#guardedRest?.adopt(client.rest));
    this.#guard(() => this.#metrics.watch(client));
    // Outside the meter: what is not sent is no call.
    this.#guard(() => this.#routeBreakers.install(client.rest.options));
    this.#channel.send({ t: 'login', clients: this.#clients.size, discordJs: version });
  }

  #onLost(interactions: number): void {
    this.#guard(() => this.#metrics.interactionsLost(interactions));
    const what = interactions === 1 ? 'an interaction' : `${interactions} interactions`;
    this.#notice(
      'interactions-lost',
      `the process before was killed while it worked on ${what}: Discord sends none again`,
    );
  }

  get #first(): ManagedClient | undefined {
    return this.#clients.values().next().value;
  }

  #checkReady(): void {
    const ready = [...this.#clients.values()].every(({ allReady }) => allReady);
    if (ready && !this.#wasReady) {
      this.#channel.send({ t: 'ready' });
      if (this.#clients.size === 1) this.#guard(() => this.#first?.keepCheckpoints(this.#timings.checkpointMs));
      // The number of guilds is known now; the next sample may be seconds away.
      setImmediate(() => this.#guard(() => this.#sample()));
    }
    this.#wasReady = ready;
  }

  #reports(): ShardReport[] {
    return this.#first?.reports() ?? [];
  }

  #sessions(): ShardSession[] {
    return this.#first?.sessions() ?? [];
  }

  #hello(): Hello {
    const { clusterId, incarnation, shardIds, totalShards, release } = this.boot;
    return {
      t: 'hello',
      protocol: PROTOCOL_VERSION,
      clusterId,
      incarnation,
      pid: process.pid,
      startTime: processStartTime(process.pid) ?? '',
      shardIds,
      totalShards,
      release,
      node: process.version,
      discordJs: this.#discordJs,
      reattached: this.#everAttached,
      shards: this.#reports(),
      sessions: this.#sessions(),
    };
  }

  #onAttached(): void {
    this.#everAttached = true;
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
    for (const [code, text] of this.#notices) this.#channel.send({ t: 'notice', code, text });
    this.#permits.onAttached();
    this.#handoff.onAttached();
    this.#metrics.resend();
  }

  #onDetached(): void {
    this.#handoff.onDetached();
    this.#permits.onDetached();
    this.#graceTimer = setTimeout(() => void this.#leave(LONE_DRAIN_MS), this.#timings.graceMs).unref();
  }

  #onFrame(frame: SupervisorToAgent): void {
    switch (frame.t) {
      case 'welcome':
        this.#timings = frame.timings;
        this.#schedule();
        break;
      case 'leave':
        void this.#leave(frame.deadlineMs / 2);
        break;
      case 'bot':
        this.#bot.deliver(frame.message);
        break;
      case 'go':
        this.#permits.onGo(frame.id);
        break;
      case 'ping':
        this.#channel.send({ t: 'pong', id: frame.id });
        break;
      case 'park':
        void this.#answerPark(frame.drainMs, frame.snapshot);
        break;
      case 'rotate':
        this.#channel.send({
          t: 'rotated',
          stream: frame.stream,
          ...rotateOutput(this.boot.parkDir, frame.stream, frame.consumed),
        });
        break;
      case 'reconnect':
        this.#first?.reconnect(frame.shardId);
        break;
      case 'remedy':
        void this.#answerRemedy(frame.id, frame.remedy);
        break;
      case 'degraded':
        this.#lifecycle.tell(frame.dependencies);
        break;
      case 'hand-over':
      case 'take-over':
        this.#handoff.onFrame(frame);
        break;
    }
  }

  async #answerRemedy(id: number, remedy: Remedy): Promise<void> {
    let outcome: RemedyOutcome;
    try {
      outcome = await this.#lifecycle.remedy(remedy);
    } catch (error) {
      outcome = { ok: false, text: error instanceof Error ? error.message : String(error) };
    }
    this.#guard(() => this.#sample()); // whoever asked looks at what came of it
    this.#channel.send({ t: 'remedied', id, ...outcome });
  }

  async #answerPark(drainMs: number, snapshot: boolean): Promise<void> {
    const startedAt = Date.now();
    const parked = await this.#park(drainMs, snapshot);
    this.#guard(() => this.#sample()); // the last one, as a rule
    this.#channel.send({ t: 'parked', ...parked, tookMs: Date.now() - startedAt });
  }

  /** Closes everything resumably; twice is the same as once. */
  #park(drainMs: number, snapshot: boolean): Promise<Parked> {
    const file = snapshot && this.#clients.size === 1 ? join(this.boot.parkDir, 'snapshot') : null;
    this.#handoff.abort();
    if (this.#handoff.hasGivenAway) return Promise.resolve({ sessions: [], snapshot: null, guilds: 0 });
    this.#parking ??= (async () => {
      await this.#lifecycle.drain({ reason: 'stop', deadlineMs: drainMs });
      const all = await Promise.all(
        [...this.#clients.values()].map((client) =>
          client.park({ drainMs, snapshotFile: file, onClosed: () => this.#callStopHandlers() }),
        ),
      );
      return all[0] ?? { sessions: [], snapshot: null, guilds: 0 };
    })();
    return this.#parking;
  }

  #openBridge(): void {
    const { clusterId, shardIds, totalShards, release } = this.boot;
    const bridge: SdkBridge = {
      version: SDK_BRIDGE_VERSION,
      cluster: Object.freeze({ id: clusterId, shardIds: Object.freeze([...shardIds]), totalShards, release }),
      stopHandlers: this.#stopHandlers,
      dataSample: null,
      healthSample: null,
      metrics: this.#metrics.bot,
      lifecycle: this.#lifecycle,
      dataRemedy: null,
      dropDataCache: null,
      handoff: this.#handoff.state,
    };
    this.#bridge = bridge;
    Object.defineProperty(globalThis, SDK_BRIDGE, { value: bridge });
  }

  /** Each handler once, however many clients there are. */
  async #callStopHandlers(): Promise<void> {
    const handlers = [...this.#stopHandlers];
    this.#stopHandlers.clear();
    const calls = handlers.map((handler) => Promise.resolve().then(handler));
    for (const call of await Promise.allSettled(calls)) {
      if (call.status === 'rejected') console.error('a stop handler of the bot failed:', call.reason);
    }
  }

  /** SIGTERM by hand, or by whoever stops the host: the sessions first, then the bot's own handlers. */
  #holdTerm(): boolean {
    try {
      if (this.#ending || this.#parking !== null || this.#handoff.hasGivenAway) return false;
      if (this.#sessions().length === 0) return false;
      void this.#leave(LONE_DRAIN_MS);
      return true;
    } catch (error) {
      this.#onError(error);
      return false;
    }
  }

  /** Save the sessions where the supervisor finds them, this one or the next, and end. */
  async #leave(drainMs: number): Promise<void> {
    this.#ending = true;
    // For the reaper, which ends what does not leave.
    this.#guard(() => writeFileSync(join(this.boot.parkDir, LEAVING_FILE), '', { mode: 0o600 }));
    this.#keepParked(await this.#park(drainMs, true));
    this.#end();
  }

  /** Where the supervisor finds it, this one or the next. */
  #keepParked({ sessions, snapshot }: Omit<Parked, 'guilds'>): void {
    const { clusterId, incarnation, totalShards, parkDir } = this.boot;
    const record: ParkedRecord = {
      protocol: PROTOCOL_VERSION,
      clusterId,
      incarnation,
      totalShards,
      at: Date.now(),
      sessions,
      snapshot,
    };
    try {
      const file = join(parkDir, PARKED_FILE);
      writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch {
      // The state folder is gone: nobody will come for the sessions.
    }
  }

  /** By SIGTERM, so that the bot's own handlers run, for as long as they may. */
  #end(): void {
    this.#ending = true;
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), TERM_TIMEOUT_MS);
    process.kill(process.pid, 'SIGTERM');
  }

  #schedule(): void {
    if (this.#sampleTimer !== null) clearInterval(this.#sampleTimer);
    this.#sampleTimer = setInterval(() => this.#guard(() => this.#sample()), this.#timings.sampleIntervalMs).unref();
  }

  /** A sample without readings is better than none: it is the process's sign of life. */
  #readings(): Readings | null {
    try {
      return this.#metrics.read(this.#clients.keys());
    } catch (error) {
      this.#onError(error);
      return null;
    }
  }

  #sample(): void {
    if (this.#channel.attached) {
      const health = this.#bridge?.healthSample?.() ?? [];
      this.#channel.send({ t: 'sample', sample: { ...this.#sampler.take(), ...(health.length > 0 && { health }) } });
    } else boundOutput(this.boot.parkDir, UNREAD_OUTPUT_BYTES);
  }

  #reportSessions(): void {
    if (!this.#channel.attached) {
      this.#reported.clear();
      return;
    }
    const now = new Map(this.#sessions().map((session) => [session.shardId, session]));
    const changed = [...now.values()].filter((session) => this.#reported.get(session.shardId) !== mark(session));
    const gone = [...this.#reported.keys()].filter((shardId) => !now.has(shardId));
    for (const session of changed) this.#reported.set(session.shardId, mark(session));
    for (const shardId of gone) this.#reported.delete(shardId);
    if (changed.length + gone.length === 0) return;
    this.#channel.send({
      t: 'sessions',
      sessions: [...changed, ...gone.map((shardId) => ({ shardId, session: null }))],
    });
  }

  /** Kept: the supervisor may not be there yet, or be another one later. */
  #notice(code: NoticeCode, text: string): void {
    if (this.#notices.get(code) === text) return;
    this.#notices.set(code, text);
    if (this.#channel.attached) this.#channel.send({ t: 'notice', code, text });
  }

  /** What a notice said holds no longer. */
  #noticeOver(code: NoticeCode): void {
    if (!this.#notices.delete(code)) return;
    this.#channel.send({ t: 'notice-over', code });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onError(error);
    }
  }

  #onError(error: unknown): void {
    this.#notice('agent-error', `inside botctl's agent: ${describe(error)}`);
  }
}

/** With the place in our code, which a report of it needs. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = /([^/\\(\s]+:\d+):\d+\)?$/m.exec(error.stack ?? '')?.[1];
  return place === undefined ? error.message : `${error.message} (${place})`;
}

function mark({ sessionId, sequence }: ShardSession): string {
  return `${sessionId}:${sequence}`;
}
