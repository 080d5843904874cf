import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'discord.js';
import type {
  AgentToSupervisor,
  BootRecord,
  GatewayBot,
  NoticeCode,
  ShardReport,
  ShardSession,
} from '../../ipc/messages';
import type { Permits } from '../permits';
import { Checkpoints } from '../checkpoint/checkpoints';
import { restore } from '../checkpoint/restore';
import { Answers, type Answered } from '../handoff/answers';
import type { HandingClient } from '../handoff/handing-client';
import type { Successor, TakingClient } from '../handoff/successor';
import { EventGate } from '../reshard/event-gate';
import type { Newcomer } from '../reshard/newcomer';
import { writeSnapshot, type SnapshotMeta } from '../snapshot';
import {
  IDLE,
  isKnownShard,
  isSimpleStrategy,
  sessionOf,
  type ShardEvent,
  type SimpleStrategy,
  type WsManager,
  type WsOptions,
  type WsShard,
} from './internals';
import { RestActivity } from './rest-activity';
import { ShardControl } from './shard-control';
import { ShardMonitor, type ShardChange } from './shard-monitor';

export interface ManagedClientOptions {
  client: Client;
  /** Version of the bot's discord.js. */
  discordJs: string;
  /** What @discordjs/ws uses when the bot names no strategy; from the bot's own copy. */
  defaultStrategy: (manager: WsManager) => object;
  boot: Pick<BootRecord, 'shardIds' | 'totalShards' | 'gateway' | 'parkDir'>;
  /** See BootRecord. */
  resume: BootRecord['resume'] | null;
  /** This process takes another one's sessions over. */
  successor: Successor | null;
  /** This process has shards of a new number, beside those that serve. */
  newcomer: Newcomer | null;
  /** The successor has failed before the cut: this process has to end. */
  onSuccessorFailed: (error: Error) => void;
  permits: Permits;
  send: (frame: AgentToSupervisor) => void;
  onShard: (change: ShardChange) => void;
  /** An event has come; discord.js has not seen it yet. */
  onDispatch: (payload: { t: string; d: unknown }) => void;
  /** Interactions that the bot works on. */
  inHand: () => number;
  /** The process before was killed while it worked on so many interactions. */
  onLost: (interactions: number) => void;
  notice: (code: NoticeCode, text: string) => void;
}

export interface Parked {
  sessions: ShardSession[];
  snapshot: string | null;
  guilds: number;
}

/** Closing handshakes that take longer are not waited for, ms. */
const CLOSE_TIMEOUT_MS = 2_000;
/** REST calls count as done when none has run for this time, ms: a handler may be between two of them. */
const REST_QUIET_MS = 200;
const POLL_MS = 5;
/** First checkpoint of a process, ms: a bot that starts has other things to do before. */
const AFTER_BOOT_MS = 15_000;
/** And of one that has taken over, ms: it serves already, and what its predecessor kept is gone. */
const AFTER_HANDOFF_MS = 2_000;
/** Messages older than this give way when memory is short, ms. */
const SWEPT_MESSAGE_MS = 5 * 60 * 1_000;

/** One client of the bot under the agent's care: it connects by leave, reports its shards, and can be parked. */
export class ManagedClient {
  readonly #monitor: ShardMonitor;
  readonly #rest: RestActivity;
  readonly #controls = new Map<number, ShardControl>();
  readonly #held = new Map<number, number>();
  #strategy: SimpleStrategy | null = null;
  #hydrating = false;
  #checkpoints: Checkpoints | null = null;
  /** Of a newcomer. */
  #gate: EventGate | null = null;
  /** Shards whose saved session has not been resumed yet. */
  readonly #resumable = new Set<number>();
  #parked = false;
  /** Of a handoff that is under way: hears each event first. */
  #journal: ((shard: number, t: string, d: unknown) => void) | null = null;
  /** A shard has identified while a handoff was under way. */
  #newSession = false;
  /** Of a successor. */
  #answers: Answers | null = null;

  constructor(private readonly options: ManagedClientOptions) {
    this.#monitor = new ShardMonitor(options.boot.shardIds, options.onShard);
    this.#rest = new RestActivity(options.client.rest);
  }

  get allReady(): boolean {
    return this.#monitor.allReady;
  }

  /** Sets the client's options; to be called before discord.js's own `login`. */
  install(): void {
    const { client } = this.options;
    const ws = client.options.ws as unknown as WsOptions;
    const build = ws.buildStrategy ?? this.options.defaultStrategy;
    ws.buildStrategy = (manager) => this.#adopt(manager, build(manager));
    ws.buildIdentifyThrottler = () => ({ waitForIdentify: (shardId, signal) => this.#permit(shardId, signal) });
    this.#setShards();
    this.#rest.install();
    client.on('shardReady', (id) => {
      if (!this.#hydrating) this.#monitor.ready(id);
    });
  }

  /** Facts of all shards, freshly measured. */
  reports(): ShardReport[] {
    const { client } = this.options;
    const guilds = new Map<number, number>();
    const unavailable = new Map<number, number>();
    for (const { shardId, available } of client.guilds.cache.values()) {
      guilds.set(shardId, (guilds.get(shardId) ?? 0) + 1);
      if (!available) unavailable.set(shardId, (unavailable.get(shardId) ?? 0) + 1);
    }
    for (const { id } of this.#monitor.reports) {
      this.#monitor.measured(id, {
        guilds: guilds.get(id) ?? 0,
        unavailableGuilds: unavailable.get(id) ?? 0,
        heartbeatIntervalMs: this.#controls.get(id)?.shard.heartbeatInterval?._repeat ?? null,
      });
    }
    return this.#monitor.reports;
  }

  sessions(): ShardSession[] {
    const { client, boot } = this.options;
    return this.#monitor.reports.flatMap((report) => {
      const session = sessionOf(client, report.id);
      if (session === null || session.shardCount !== boot.totalShards) return [];
      return [
        {
          shardId: report.id,
          shardCount: session.shardCount,
          sessionId: session.sessionId,
          sequence: session.sequence,
          resumeUrl: session.resumeURL,
          aliveAt: Math.max(report.lastAckAt ?? 0, report.lastEventAt ?? 0, report.since),
        },
      ];
    });
  }

  /** Lets go of messages that discord.js keeps although they are old; how many. */
  sweepMessages(): number {
    const before = Date.now() - SWEPT_MESSAGE_MS;
    return this.options.client.sweepers.sweepMessages(({ createdTimestamp }) => createdTimestamp < before);
  }

  get meta(): SnapshotMeta {
    const { boot, discordJs } = this.options;
    return { totalShards: boot.totalShards, shardIds: [...boot.shardIds], discordJs };
  }

  /** The side of it that a handoff to another process needs. */
  get handing(): HandingClient {
    return {
      client: this.options.client,
      meta: this.meta,
      journal: (listener) => {
        this.#journal = listener;
        this.#newSession = false;
        return () => void (this.#journal = null);
      },
      sessions: () => this.sessions(),
      obstacle: () => this.#obstacle(),
      cut: () => this.#cut(),
      rollBack: () => {
        this.#parked = false;
        this.#checkpoints?.start();
        for (const control of this.#controls.values()) control.unpark();
      },
    };
  }

  /** From now on this process may be killed, and the next one resumes. */
  keepCheckpoints(intervalMs: number): void {
    const { client, boot, notice } = this.options;
    if (this.#strategy === null || this.#parked || this.#checkpoints !== null || intervalMs === 0) return;
    this.#checkpoints = new Checkpoints({
      client,
      meta: this.meta,
      dir: boot.parkDir,
      intervalMs,
      firstAfterMs: (this.options.successor ?? this.options.newcomer) === null ? AFTER_BOOT_MS : AFTER_HANDOFF_MS,
      sessions: () => this.sessions(),
      inHand: this.options.inHand,
      onError: (error) => notice('snapshot-failed', `no checkpoint of the caches is kept: ${error.message}`),
    });
    this.#checkpoints.start();
  }

  /** The bot works on fewer interactions than before. */
  answered(): void {
    this.#checkpoints?.answered();
  }

  reconnect(shardId: number): boolean {
    const control = this.#controls.get(shardId);
    control?.reconnect('asked for by the operator');
    return control !== undefined;
  }

  /**
   * Closes all connections resumably for good, waits for what is under way, and saves the caches to `snapshotFile`.
   * Never rejects: without a snapshot the next start identifies.
   */
  async park({
    drainMs,
    snapshotFile,
    onClosed,
  }: {
    drainMs: number;
    snapshotFile: string | null;
    /** The connections are closed: what must be done before the end, within `drainMs`. */
    onClosed: () => Promise<void>;
  }): Promise<Parked> {
    const { client, boot } = this.options;
    this.#close();
    await this.#until(CLOSE_TIMEOUT_MS, () => [...this.#controls.values()].every(({ shard }) => shard.status === IDLE));
    await Promise.all([this.drain(drainMs), this.#within(drainMs, onClosed())]);
    const whole = this.sessions().length === boot.shardIds.length && client.isReady();
    if (snapshotFile === null || !whole) {
      return { sessions: this.sessions(), snapshot: null, guilds: client.guilds.cache.size };
    }
    return await this.save(boot.shardIds, snapshotFile);
  }

  /** Saves the caches of some shards, which are closed, to a file. Never rejects: without it the next start identifies. */
  async save(shardIds: readonly number[], file: string): Promise<Parked> {
    const { client, notice } = this.options;
    const sessions = this.sessions().filter(({ shardId }) => shardIds.includes(shardId));
    let snapshot: string | null = null;
    try {
      if (this.#strategy !== null) {
        await writeSnapshot(client, file, { ...this.meta, shardIds: [...shardIds] });
        snapshot = file;
      }
    } catch (error) {
      notice('snapshot-failed', `the caches could not be saved: ${(error as Error).message}`);
    }
    return { sessions, snapshot, guilds: client.guilds.cache.size };
  }

  /**
   * What runs when the shards are closed may finish: REST calls of handlers, and what `isIdle` knows of.
   * @returns false when it was not done in time
   */
  async drain(ms: number, isIdle: () => boolean = () => true): Promise<boolean> {
    let quietSince = Date.now();
    const isQuiet = (): boolean => {
      if (!this.#rest.isIdle || !isIdle()) quietSince = Date.now();
      return Date.now() - quietSince >= REST_QUIET_MS;
    };
    await this.#until(ms, isQuiet);
    return isQuiet();
  }

  #close(): void {
    this.#parked = true;
    this.#checkpoints?.discard();
    for (const control of this.#controls.values()) control.park();
  }

  #obstacle(): string | null {
    if (this.#strategy === null) return 'the bot has its own sharding strategy';
    if (!this.options.client.isReady()) return 'the bot is not ready';
    if (this.#journal !== null && this.#newSession) return 'a shard has identified meanwhile';
    const missing = this.options.boot.shardIds.filter((id) => sessionOf(this.options.client, id) === null);
    return missing.length === 0 ? null : `shard ${missing.join(', ')} has no session`;
  }

  async #cut(): Promise<void> {
    this.#close();
    // An event that has been read is dispatched a few promises later.
    for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
  }

  /** Waits for the sessions of the predecessor in place of identifying. */
  async #succeed(successor: Successor, manager: WsManager, connect: () => Promise<void>): Promise<void> {
    const controls = [...this.#controls.values()];
    let connected: Promise<void> = Promise.resolve();
    const taking: TakingClient = {
      client: this.options.client,
      manager,
      meta: this.meta,
      setSessions: (sessions) => this.#setSessions(manager, sessions),
      connect: async () => {
        for (const control of controls) control.hold();
        const held = Promise.all(controls.map((control) => control.held()));
        connected = connect();
        await held;
      },
      resume: () => {
        for (const control of controls) control.resume();
      },
      listen: (on) => {
        this.#hydrating = false;
        const onSettled = (answered: Answered | null): void => {
          this.#answers = null;
          on.onSettled(answered);
        };
        this.#answers = new Answers({ ...on, onSettled, shardIds: this.#controls.keys() });
        for (const control of controls) control.listen();
      },
    };
    this.#hydrating = true;
    try {
      await successor.run(taking);
    } catch (error) {
      this.options.onSuccessorFailed(error as Error);
      // Neither identify nor let the bot see an error: the process is about to end.
      await new Promise<never>(() => undefined);
    }
    await connected;
  }

  /** Identifies, and lets the bot hear of it when the processes before have stopped. */
  async #join(newcomer: Newcomer, manager: WsManager, connect: () => Promise<void>): Promise<void> {
    const { client, boot } = this.options;
    const gate = new EventGate(manager, client, boot.shardIds);
    this.#gate = gate;
    try {
      await newcomer.run({ gate, guilds: () => client.guilds.cache.size, connect });
    } catch (error) {
      this.options.onSuccessorFailed(error as Error);
      await new Promise<never>(() => undefined);
    }
  }

  #setSessions(manager: WsManager, sessions: readonly ShardSession[]): void {
    for (const { shardId, shardCount, sessionId, sequence, resumeUrl } of sessions) {
      manager.options.updateSessionInfo(shardId, { shardId, shardCount, sessionId, sequence, resumeURL: resumeUrl });
      this.#resumable.add(shardId);
    }
  }

  #setShards(): void {
    const { client, boot, notice } = this.options;
    const { shards, shardCount } = client.options;
    const planned = Array.isArray(shards) && shards.join() === boot.shardIds.join() && shardCount === boot.totalShards;
    if (planned) return;
    client.options.shards = [...boot.shardIds];
    client.options.shardCount = boot.totalShards;
    notice('shards-overridden', 'the bot sets shards or shardCount itself; botctl runs it by its own plan');
  }

  #adopt(manager: WsManager, strategy: object): object {
    this.#answerGatewayInformation(manager);
    this.#listen(manager);
    if (!isSimpleStrategy(strategy)) {
      this.options.notice('custom-strategy', 'the bot has its own sharding strategy: no session survives its restart');
      return strategy;
    }
    this.#strategy = strategy;
    const spawn = strategy.spawn.bind(strategy);
    const connect = strategy.connect.bind(strategy);
    const destroy = strategy.destroy.bind(strategy);
    strategy.spawn = async (shardIds) => {
      await spawn(shardIds);
      for (const shard of strategy.shards.values()) this.#control(manager, shard);
    };
    strategy.connect = async () => {
      const { successor, newcomer } = this.options;
      if (successor !== null && !successor.hasTaken) return this.#succeed(successor, manager, connect);
      if (newcomer !== null && !newcomer.hasTaken) return this.#join(newcomer, manager, connect);
      await this.#hydrate(manager);
      await connect();
    };
    strategy.destroy = async (options) => {
      for (const control of this.#controls.values()) control.cancel();
      await destroy(options);
      this.#controls.clear();
    };
    return strategy;
  }

  /** Only the supervisor asks Discord; its budget decides, so the client must not refuse for lack of one. */
  #answerGatewayInformation(manager: WsManager): void {
    const { gateway, shardIds } = this.options.boot;
    const limit = gateway.session_start_limit;
    const data: GatewayBot = {
      ...gateway,
      session_start_limit: { ...limit, remaining: Math.max(limit.remaining, shardIds.length) },
    };
    manager.gatewayInformation = { data, expiresAt: Number.POSITIVE_INFINITY };
  }

  /** Before discord.js itself listens. */
  #listen(manager: WsManager): void {
    const on = (event: string, listener: (payload: ShardEvent) => void): void => {
      manager.on(event, (payload) => listener(payload));
    };
    /** Hydration plays these itself. */
    const onReal = (event: string, listener: (payload: ShardEvent) => void): void => {
      on(event, (payload) => {
        if (!this.#hydrating) listener(payload);
      });
    };
    on('hello', ({ shardId }) => {
      this.#monitor.hello(shardId, this.#resumes(manager, shardId));
      this.#controls.get(shardId)?.hello();
    });
    onReal('dispatch', ({ shardId, data }) => {
      this.#monitor.dispatch(shardId);
      this.#answers?.event(shardId);
      if (data !== undefined) {
        this.#journal?.(shardId, data.t, data.d);
        this.#checkpoints?.dispatched(shardId, data.t, data.d);
        // What another process handles is neither counted here nor is its answer waited for.
        if (this.#gate?.isUnheard !== true) this.options.onDispatch(data);
      }
      this.#controls.get(shardId)?.dispatch();
    });
    onReal('ready', ({ shardId }) => {
      this.#newSession = true;
      this.#monitor.session(shardId);
      this.#controls.get(shardId)?.established();
      if (this.#resumable.delete(shardId)) {
        this.options.notice('session-not-resumed', 'Discord refused a saved session; the shard has identified anew');
      }
      this.#answers?.identified(shardId);
    });
    on('resumed', ({ shardId }) => {
      const control = this.#controls.get(shardId);
      this.#resumable.delete(shardId);
      this.#monitor.resumed(shardId, control?.shard.replayedEvents ?? 0);
      control?.established();
      this.#answers?.resumed(shardId);
    });
    on('closed', ({ shardId, code = 1_006 }) => {
      this.#monitor.closed(shardId, code);
      this.#controls.get(shardId)?.closed(code);
    });
    on('heartbeat', ({ shardId, latency = -1, ackAt = Date.now() }) => {
      this.#monitor.heartbeat(shardId, latency, ackAt);
    });
  }

  #control(manager: WsManager, shard: WsShard): void {
    if (!isKnownShard(shard)) return;
    const { client, permits, send } = this.options;
    const { id } = shard;
    const control = new ShardControl({
      shard,
      session: () => sessionOf(client, id),
      resumes: () => this.#resumes(manager, id),
      pass: (intent, signal) => {
        this.#monitor.connecting(id);
        return permits.connect(id, intent, signal);
      },
      onIdentify: (written) => this.#onIdentify(id, written),
      onOutcome: (ok, code, reason) => {
        send(ok ? { t: 'connected', shardId: id, ok } : { t: 'connected', shardId: id, ok, code, reason });
      },
    });
    this.#controls.set(id, control);
    control.install();
    if (this.#parked) control.park();
  }

  #resumes(manager: WsManager, shardId: number): boolean {
    const session = sessionOf(this.options.client, shardId);
    return session !== null && session.shardCount === manager.options.shardCount;
  }

  async #permit(shardId: number, signal: AbortSignal): Promise<void> {
    const { permits } = this.options;
    const id = await permits.identify(shardId, signal);
    const unused = this.#held.get(shardId);
    if (unused !== undefined) permits.unspent(unused);
    if (this.#controls.has(shardId)) this.#held.set(shardId, id);
    // A strategy with shards elsewhere does not show when it writes.
    else permits.identified(id, shardId);
  }

  #onIdentify(shardId: number, written: boolean): void {
    const { permits } = this.options;
    const id = this.#held.get(shardId);
    this.#held.delete(shardId);
    if (id !== undefined) {
      if (written) permits.identified(id, shardId);
      else permits.unspent(id);
    }
    if (written) this.#monitor.identifying(shardId);
  }

  /** Fills the caches from what was saved and sets the sessions, so that the shards resume. */
  async #hydrate(manager: WsManager): Promise<void> {
    const { client, notice } = this.options;
    const resume = this.options.resume ?? null;
    this.options.resume = null;
    if (resume === null) return;
    this.#hydrating = true;
    try {
      const { sessions, inHand } = await restore(resume, manager, client, this.meta);
      this.#setSessions(manager, sessions);
      if (inHand > 0) this.options.onLost(inHand);
    } catch (error) {
      notice('session-not-resumed', `the saved state could not be used: ${(error as Error).message}`);
    } finally {
      this.#hydrating = false;
    }
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    const timeout = new AbortController();
    await Promise.race([work, delay(ms, undefined, { signal: timeout.signal }).catch(() => undefined)]);
    timeout.abort();
  }

  async #until(ms: number, condition: () => boolean): Promise<void> {
    const end = Date.now() + ms;
    while (!condition() && Date.now() < end) await delay(POLL_MS);
  }
}
