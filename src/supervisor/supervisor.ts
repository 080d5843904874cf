import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { ConfigError, type Config } from '../config';
import type { CapacityReport } from '../capacity';
import { ControlError, type Progress, type RestartRequest, type Status } from '../control/contract';
import { ControlServer } from '../control/server';
import { controlSocketPath, ensurePrivateDir, socketDir } from '../control/socket-path';
import { ReleaseStore } from '../deploy';
import type { HealthChecker } from '../health';
import { HttpServer } from '../http';
import type { GatewayBot } from '../ipc/messages';
import { Metrics } from '../metrics';
import type { RestGuardBoot } from '../ipc/rest-guard';
import { systemClock } from '../clock';
import type { Cluster } from '../sharding/cluster/cluster';
import { fetchGatewayBot } from '../sharding/gateway-info';
import { Master, type MasterView } from '../sharding/master';
import { SESSIONS_DIR } from '../sharding/session-store';
import { LocalShardAssignment, planClusters } from '../sharding/plan';
import { previousTotalShards } from '../sharding/previous-run';

import { dataOwner, type DataSettings } from '../data/settings';
import { clusterSettingsOf } from './cluster-settings';
import { Capacity } from './capacity/capacity';
import { DataCommands } from './data/commands';
import { DataHousekeeping } from './data/housekeeping';
import { dataSettings } from './data/settings';
import { DataTier } from './data/tier';
import { incidentsInTheWay, tellIncidents } from './deploy/incidents';
import { logDeployEvent } from './deploy/log';
import { Deployments } from './deploy/deployments';
import { logEvent } from './event-log';
import { createHealthChecker } from './health/health';
import { IncidentCommands } from './incidents/commands';
import { IncidentWatch } from './incidents/watch';
import { SupervisorMaintenance } from './maintenance/maintenance';
import { busyByIncidents, signalMaintenance } from './maintenance/incidents';
import { controlMetrics, httpMetrics } from './metrics/answers';
import { LayoutFile, layoutFor } from './deploy/layout';
import { MetricsFeed } from './metrics/feed';
import { ReleaseSpecs, type CommonSpec } from './deploy/releases';
import { applyReload, type ReloadConfig } from './deploy/reload';
import { restart } from './deploy/restart';
import { createRestGuard, restGuardBoot } from './rest-guard/setup';
import type { RestGuardProcess } from './rest-guard/process';
import { SandboxProcess } from './sandbox-process';
import { Scaling } from './deploy/scaling';
import { SdNotify } from './sd-notify';
import { prepareStateDir } from './state-dir';
import { buildStatus } from './status';
import { SupervisorLock } from './supervisor-lock';
import { Recovery } from './recovery/recovery';
import { redisSource } from './data/redis-source';
import { type TierAddresses, Tiers } from './data/tiers';
import { readTls } from './data/tls';
import { underWay } from './recovery/under-way';

export interface SupervisorOptions {
  config: Config;
  version: string;
  /** Run against the sandbox instead of Discord. */
  sandbox: boolean;
  /** Try again what was latched as fatal. */
  retryFatal: boolean;
  env: NodeJS.ProcessEnv;
  /** Secrets of the config; what comes into being later goes to `onSecret`. */
  secrets: readonly string[];
  onSecret: (secret: string) => void;
  /** Reads the config file again. @throws ConfigError */
  reloadConfig: ReloadConfig;
  logger: Logger;
}

/** Told to systemd and to the log, ms. */
const STATUS_INTERVAL_MS = 10_000;
/** The composition root: builds the parts in the order of their dependence, stops them in reverse. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #abort = new AbortController();
  readonly #notify: SdNotify;
  readonly #metrics: Metrics;
  readonly #feed: MetricsFeed;
  readonly #incidents: IncidentWatch;
  #lock: SupervisorLock | null = null;
  #control: ControlServer | null = null;
  #http: HttpServer | null = null;
  #sandbox: SandboxProcess | null = null;
  #restGuard: RestGuardProcess | null = null;
  #tiers: Tiers | null = null;
  #data: DataTier | null = null;
  #housekeeping: DataHousekeeping | null = null;
  #master: Master | null = null;
  #deployments: Deployments | null = null;
  #scaling: Scaling | null = null;
  #health: HealthChecker | null = null;
  readonly #recovery: Recovery;
  #capacity: Capacity | null = null;
  #maintenance: SupervisorMaintenance | null = null;
  #statusTimer: NodeJS.Timeout | null = null;
  #message: string | null = null;
  #stop: Promise<void> | null = null;
  #stopListeners = new Set<(line: Progress) => void>();
  #tellEnded: () => void = () => undefined;

  /** Resolves when a stop, whoever asked for it, has come to its end. */
  readonly ended = new Promise<void>((resolve) => (this.#tellEnded = resolve));

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#notify = new SdNotify(options.env, (message) => options.logger.warn(message));
    const { config, version, logger, env, secrets } = options;
    this.#metrics = new Metrics({ version, maxBytes: config.metrics.memory, now: Date.now });
    const onError = (err: unknown): void => logger.error({ err }, 'the metrics could not be collected');
    this.#feed = new MetricsFeed(
      this.#metrics,
      () => ({
        master: this.#master?.view() ?? null,
        tiers: this.#tiers?.status ?? null,
        rest: this.#restGuard?.status ?? null,
        maintenance: this.#maintenance?.status() ?? null,
        capacity: this.#capacity?.status ?? null,
      }),
      config.metrics.interval,
      this.#metrics.archive(join(config.stateDir, 'metrics'), onError),
      onError,
    );
    this.#incidents = new IncidentWatch({
      config,
      metrics: this.#metrics,
      bot: () => this.#master?.view() ?? null,
      health: () => this.#health?.view() ?? null,
      connect: () => this.#data?.connect(0) ?? null,
      env,
      secrets,
      logger,
    });
    this.#recovery = new Recovery({
      config,
      desk: this.#incidents.desk,
      master: () => this.#master,
      tiers: () => this.#tiers,
      data: () => this.#data,
      restGuard: () => this.#restGuard,
      busy: () =>
        underWay(
          this.#deployments?.view().rollout ?? null,
          this.#maintenance?.status().running ?? null,
          this.#deployments?.scaling ?? false,
        ),
      onAction: (record) => this.#feed.onRecovery(record),
      logger,
    });
  }

  /**
   * Brings everything up; resolves when the clusters are being started.
   * @throws StateDirError, AlreadyRunningError, TokenRefusedError, ShardCountError and what the servers throw. The parts
   * that are up by then are stopped again.
   */
  async start(): Promise<void> {
    const { config, version, sandbox } = this.#options;
    prepareStateDir(config.stateDir);
    this.#lock = SupervisorLock.acquire(config.stateDir, { version, name: config.bot.name, sandbox });
    try {
      await this.#bringUp(this.#lock);
    } catch (error) {
      if (this.#stop !== null) return this.#stop; // stopped by hand in the middle of the start
      await this.stop();
      throw error;
    }
  }

  status(): Status {
    const { config, version, sandbox } = this.#options;
    const now = Date.now();
    return buildStatus({
      record: this.#lock?.record ?? {
        pid: process.pid,
        startTime: '',
        version,
        state: 'starting',
        since: now,
        startedAt: now,
        name: config.bot.name,
        sandbox,
        http: null,
      },
      entry: config.bot.entry,
      stateDir: config.stateDir,
      tiers: this.#tiers?.status ?? NO_TIERS,
      rest: this.#restGuard?.status ?? null,
      outage: this.#recovery.outage,
      data: this.#data?.view() ?? null,
      ownData: this.#housekeeping?.sample() ?? null,
      health: this.#health?.view() ?? null,
      deploy: this.#deployments?.view() ?? null,
      incidents: this.#incidents.desk.openIncidents(),
      capacity: this.#capacity?.status ?? null,
      maintenance: this.#maintenance?.status() ?? null,
      master: this.#master?.view() ?? null,
      message: this.#message,
      now,
    });
  }

  /** Graceful stop, in the reverse order of the start, within the deadline. Safe to call again: the same stop. */
  stop(onProgress?: (line: Progress) => void): Promise<void> {
    if (onProgress !== undefined) this.#stopListeners.add(onProgress);
    this.#stop ??= this.#tearDown();
    return this.#stop;
  }

  /** Ends all clusters at once; the stop that is under way then comes to its end. */
  kill(): void {
    this.#abort.abort();
    this.#master?.kill();
  }

  async #bringUp(lock: SupervisorLock): Promise<void> {
    const { config, logger } = this.#options;
    ensurePrivateDir(socketDir(config.stateDir));
    const commands = new DataCommands(() => this.#data);
    const control = new ControlServer({
      path: controlSocketPath(config.stateDir),
      handlers: {
        incidents: new IncidentCommands({
          bot: config.bot.name,
          incidents: this.#incidents.incidents,
          queries: this.#metrics.queries,
        }),
        status: () => this.status(),
        stop: (onProgress) => this.stop(onProgress),
        restart: (request, onProgress) => this.#restart(request, onProgress),
        metrics: (params) => controlMetrics(this.#metrics, params),
        capacity: () => this.#capacityReport(),
        dbOverview: () => commands.dbOverview(),
        moveGuild: (request, onProgress) => commands.moveGuild(request, onProgress),
        abortMove: (request, onProgress) => commands.abortMove(request, onProgress),
        rebalance: (request, onProgress) => commands.rebalance(request, onProgress),
        migrate: (onProgress) => commands.migrate(onProgress),
        deploy: (request, onProgress) => this.#running().deploy(request, onProgress),
        rollback: (request, onProgress) => this.#running().rollback(request, onProgress),
        followRollout: (onProgress) => this.#running().follow(onProgress),
        orderRollout: (order, onProgress) => this.#running().order(order, onProgress),
        reload: (onProgress) => this.#running().reload(onProgress),
        scale: async (request, onProgress) => {
          this.#running();
          await this.#scaling?.scale(request, onProgress);
        },
        recovery: () => this.#recovery.overview(),
        recover: (request, onProgress) => this.#recovery.recover(request, onProgress),
        endOutage: () => this.#recovery.endOutage(),
        maintenance: () => this.#maintained().overview(),
        maintain: (request, onProgress) => this.#maintained().maintain(request, onProgress),
      },
      log: logger,
    });
    await control.listen();
    this.#control = control;
    await this.#feed.start();
    await this.#incidents.start();
    if (config.http.enabled) await this.#startHttp(lock);

    this.#message = 'Starting the databases and asking Discord for the gateway.';
    const tiers = new Tiers(
      {
        stateDir: config.stateDir,
        postgres: {
          urls: config.postgres.shards,
          embedded: config.postgres.embedded,
          ...(config.postgres.tls !== undefined && { tls: readTls(config.postgres.tls) }),
        },
        redis: {
          url: config.redis.url ?? null,
          source: redisSource(config.redis, null),
          embedded: config.redis.embedded,
        },
      },
      logger,
      this.#options.onSecret,
      (tier, reason) => this.#incidents.onServerDeath(tier, reason),
    );
    this.#tiers = tiers;
    const signal = this.#abort.signal;
    const [addresses, { gateway, asOf, api }] = await Promise.all([
      this.#startTiers(tiers, signal),
      this.#findGateway(signal),
    ]);
    signal.throwIfAborted();
    this.#message = null;
    await this.#startMaster({ gateway, asOf, api, ...addresses });
    this.#startHealth(api, addresses);
    this.#startCapacity(addresses);
    this.#startMaintenance(addresses);
    lock.update({ state: 'running' });
    this.#notify.ready();
    this.#statusTimer = setInterval(() => this.#tellStatus(), STATUS_INTERVAL_MS).unref();
  }

  async #startTiers(tiers: Tiers, signal: AbortSignal): Promise<TierAddresses> {
    const { config, logger } = this.#options;
    const addresses = await tiers.start(signal);
    const { databaseUrls } = addresses;
    if (databaseUrls.length === 0 || signal.aborted) return addresses;
    this.#data = new DataTier({ config, databaseUrls, logger });
    await this.#data.start();
    return addresses;
  }

  async #startHttp(lock: SupervisorLock): Promise<void> {
    const { config, logger } = this.#options;
    const http = new HttpServer({
      host: config.http.host,
      port: config.http.port,
      token: config.http.token ?? null,
      status: () => this.status(),
      health: () => this.#health?.view() ?? null,
      metrics: httpMetrics(this.#metrics),
      log: logger,
    });
    const url = await http.listen();
    this.#http = http;
    lock.update({ http: url });
  }

  async #findGateway(signal: AbortSignal): Promise<{ gateway: GatewayBot; asOf: number; api: string }> {
    const { config, sandbox, logger } = this.#options;
    let api = config.discord.api;
    if (sandbox) {
      const { guilds, shards, maxConcurrency, identifyInterval, rate, port } = config.sandbox;
      const settings = { guilds, shards, maxConcurrency, identifyIntervalMs: identifyInterval, rate, port };
      this.#sandbox = new SandboxProcess(config.stateDir, settings);
      const started = await this.#sandbox.start();
      api = started.apiUrl;
      // A new Discord knows none of the sessions that were saved with the last one.
      if (!started.adopted) rmSync(join(config.stateDir, SESSIONS_DIR), { recursive: true, force: true });
      logger.info({ api }, started.adopted ? 'sandbox still runs, taken over' : 'sandbox is up: a Discord on loopback');
    }
    const asOf = Date.now();
    const gateway = await this.#fetchGateway(api, signal);
    const { remaining, total, max_concurrency } = gateway.session_start_limit;
    logger.info(
      { recommendedShards: gateway.shards, maxConcurrency: max_concurrency },
      `gateway found, ${remaining} of ${total} identifies left today`,
    );
    return { gateway, asOf, api };
  }

  #fetchGateway(api: string, signal: AbortSignal): Promise<GatewayBot> {
    const { config, version, logger } = this.#options;
    return fetchGatewayBot(
      {
        api,
        token: config.bot.token,
        version,
        onRetry: (reason, delayMs) => {
          this.#message = `Discord's REST API does not answer (${reason}).`;
          logger.warn({ api }, `Discord's REST API: ${reason}; next try in ${(delayMs / 1_000).toFixed(1)} s`);
        },
      },
      signal,
    );
  }

  async #startMaster(found: {
    gateway: GatewayBot;
    asOf: number;
    api: string;
    databaseUrls: string[];
    redisUrl: string | null;
  }): Promise<void> {
    const { config, logger, env, version, secrets } = this.#options;
    const { bot, sharding, identify, gateway: gate, stateDir } = config;
    const previousTotal = previousTotalShards(stateDir, Date.now);
    const layout = new LayoutFile(stateDir);
    const scaled = layoutFor(layout.read(), sharding, sharding.shards);
    // Also of a layout Discord may refuse the number by now.
    const range = new LocalShardAssignment({
      totalShards: scaled?.totalShards ?? sharding.totalShards,
      ...(sharding.shards !== undefined && { shards: sharding.shards }),
      ...(previousTotal !== undefined && { previousTotal }),
    }).assign(found.gateway);
    const plan = scaled ?? planClusters(range, sharding.shardsPerCluster);
    const [data, restGuard] = await Promise.all([
      this.#dataSettings(plan.clusters.length, found),
      this.#startRestGuard(found.api),
    ]);
    const shardCount = plan.clusters.reduce((sum, { shardIds }) => sum + shardIds.length, 0);
    logger.info(`plan: ${shardCount} of ${plan.totalShards} shards in ${plan.clusters.length} clusters`);

    const store = new ReleaseStore(stateDir);
    const common: CommonSpec = {
      entry: bot.entry,
      args: bot.args,
      nodeArgs: bot.nodeArgs,
      cwd: bot.cwd,
      env,
      botEnv: bot.env,
      token: bot.token,
      databaseUrls: found.databaseUrls,
      redisUrl: found.redisUrl,
      data,
      secrets,
      discordApi: found.api,
      restGuard: config.rest.guard,
      version,
    };
    const specs = new ReleaseSpecs(store, common);
    const clusterSettings = clusterSettingsOf(config);
    const master = new Master({
      plan,
      bot: specs.current(),
      specOf: (release) => specs.of(release),
      gateway: found.gateway,
      gatewayAsOf: found.asOf,
      discordApi: found.api,
      restGuard,
      stateDir,
      agentSocket: join(socketDir(stateDir), 'agents.sock'),
      cluster: clusterSettings,
      identify: { reserve: identify.reserve, intervalMs: identify.interval, marginMs: identify.margin },
      gate: {
        backoffMinMs: gate.backoffMin,
        backoffMaxMs: gate.backoffMax,
        failureThreshold: gate.failureThreshold,
      },
      broadcastTimeoutMs: sharding.broadcastTimeout,
      refreshGateway: () =>
        this.#fetchGateway(found.api, AbortSignal.any([this.#abort.signal, AbortSignal.timeout(30_000)])),
      clock: systemClock,
      emit: (event) => {
        logEvent(logger, event);
        this.#feed.onEvent(event);
        this.#deployments?.onEvent(event);
        this.#incidents.onMasterEvent(event);
        this.#recovery.onEvent(event);
      },
    });
    this.#master = master;
    const deployments = new Deployments({
      config,
      store,
      specs,
      master: () => master,
      metrics: this.#metrics,
      health: () => this.#health?.view() ?? null,
      openIncidents: () => incidentsInTheWay(this.#incidents.desk),
      gateway: found.gateway,
      discordApi: found.api,
      clock: systemClock,
      emit: (event) => {
        logDeployEvent(logger, event);
        tellIncidents(this.#incidents.desk, event);
      },
      reload: async (current, tell) => {
        const loaded = await this.#readConfig();
        for (const secret of loaded.secrets) this.#options.onSecret(secret);
        const fresh = applyReload(config, loaded, clusterSettings, tell);
        return current.with({ ...fresh, secrets: [...secrets, ...loaded.secrets] });
      },
    });
    this.#deployments = deployments;
    this.#scaling = new Scaling({
      master,
      deployments,
      layout,
      config: sharding,
      recommendedShards: found.gateway.shards,
      openIncidents: () => incidentsInTheWay(this.#incidents.desk),
      dataSettings: (clusters) => this.#dataSettings(clusters, found),
    });
    deployments.assign();
    if (this.#options.retryFatal) master.clearFatal();
    await master.start();
    deployments.goOn();
    if (this.#data !== null) this.#keepHouse(this.#data, master, data);
  }

  #keepHouse(tier: DataTier, master: Master, settings: DataSettings): void {
    const clusterOf = (owner: string): Cluster | undefined => {
      return master.clusters.find(({ id }) => dataOwner(id) === owner);
    };
    this.#housekeeping = new DataHousekeeping({
      settings,
      isOwner: (owner) => clusterOf(owner) !== undefined,
      isServing: (owner) => clusterOf(owner)?.state === 'ready',
      connect: (shard) => tier.connect(shard),
      deferredOf: (owner) => clusterOf(owner)?.observe().sample?.data?.deferred ?? null,
      clock: systemClock,
      logger: this.#options.logger,
    });
    this.#housekeeping.start();
  }

  #startHealth(discordApi: string, { databaseUrls, redisUrl }: TierAddresses): void {
    if (this.#stop !== null) return; // stopped by hand in the middle of the start
    const { config, env, secrets, logger } = this.#options;
    const looked = {
      live: () => this.#master?.view() ?? null,
      discordApi,
      databaseUrls,
      redis: redisSource(config.redis, redisUrl),
    };
    this.#health = createHealthChecker({ ...looked, config, env, secrets, logger });
    this.#health.start();
    this.#incidents.watch(looked);
    this.#recovery.start();
  }

  #startCapacity({ databaseUrls }: TierAddresses): void {
    if (this.#stop !== null) return; // stopped by hand in the middle of the start
    const { config, logger } = this.#options;
    const master = (): MasterView | null => this.#master?.view() ?? null;
    const { desk: incidents } = this.#incidents;
    this.#capacity = new Capacity({ config, master, data: this.#data, databaseUrls, incidents, logger });
    void this.#capacity.start();
  }

  #capacityReport(): Promise<CapacityReport> {
    if (this.#capacity === null) throw new ControlError(409, 'The supervisor is starting or stopping.');
    return this.#capacity.report();
  }

  #startMaintenance({ databaseUrls }: TierAddresses): void {
    if (this.#stop !== null || this.#data === null) return;
    const { config, version, logger } = this.#options;
    this.#maintenance = new SupervisorMaintenance({
      ...{ config, version, databaseUrls, logger },
      busy: () => busyByIncidents(this.#incidents.desk.openIncidents()) ?? this.#rollout(),
      onEvent: (event) => {
        this.#feed.onMaintenance(event);
        signalMaintenance(this.#incidents.desk, event);
      },
      onStep: (step) => this.#feed.onMaintenanceStep(step),
      pruneReleases: this.#deployments === null ? null : () => this.#deployments?.prune() ?? null,
    });
    this.#maintenance.start();
  }

  #rollout(): string | null {
    const phase = this.#deployments?.view().rollout?.phase;
    if (this.#deployments?.scaling === true) return 'the clusters are being scaled';
    return phase === 'running' || phase === 'rolling-back' ? 'a rollout is under way' : null;
  }

  #maintained(): SupervisorMaintenance {
    if (this.#maintenance === null) {
      throw new ControlError(409, 'There are no databases to maintain.', 'See postgres in `botctl status`.');
    }
    return this.#maintenance;
  }

  /** The limiter for all clusters; what each of so many has to know of it. */
  async #startRestGuard(api: string): Promise<(clusters: number) => RestGuardBoot | null> {
    const { config, logger, env, version } = this.#options;
    if (!config.rest.guard) return () => null;
    this.#restGuard = createRestGuard({ config, api, version, env, logger });
    await this.#restGuard.start();
    return (clusters) => restGuardBoot(config, clusters);
  }

  /** What the SDK in each cluster is told. @throws PoolBudgetError */
  async #dataSettings(clusters: number, found: TierAddresses): Promise<DataSettings> {
    const share = (await this.#data?.share(clusters)) ?? { min: 0, max: 1 };
    return dataSettings(this.#options.config, { ...found, share });
  }

  async #restart(request: RestartRequest, onProgress: (line: Progress) => void): Promise<void> {
    const master = this.#master;
    if (master === null || this.#stop !== null) throw new ControlError(409, 'The supervisor is starting or stopping.');
    await restart(master, request, onProgress);
  }

  /** @throws ControlError when the config is broken */
  async #readConfig(): ReturnType<ReloadConfig> {
    try {
      return await this.#options.reloadConfig();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new ControlError(400, `Nothing was reloaded: ${error.message}`, 'See: botctl config check');
    }
  }

  /** @throws ControlError while there are no clusters yet, or no longer */
  #running(): Deployments {
    if (this.#deployments === null || this.#stop !== null) {
      throw new ControlError(409, 'The supervisor is starting or stopping.');
    }
    return this.#deployments;
  }

  async #tearDown(): Promise<void> {
    const { config, logger } = this.#options;
    this.#lock?.update({ state: 'stopping' });
    this.#message = 'Stopping.';
    this.#notify.stopping();
    this.#abort.abort();
    if (this.#statusTimer !== null) clearInterval(this.#statusTimer);
    this.#health?.stop();
    this.#health = null;
    await this.#settle('rollout', this.#deployments?.stop());
    this.#recovery.stop();
    const incidents = this.#incidents.stop();
    await this.#settle('maintenance', this.#maintenance?.stop());
    await this.#stopClusters(config.sharding.stopTimeout);
    await this.#settle('capacity', this.#capacity?.stop());
    await this.#settle('REST guard', this.#restGuard?.stop());
    await this.#settle('sandbox', this.#sandbox?.stop());
    await this.#settle('incidents', incidents);
    await this.#settle('housekeeping', this.#housekeeping?.stop());
    await this.#settle('database shards', this.#data?.stop());
    await this.#settle('databases', this.#tiers?.stop());
    await this.#settle('metrics', this.#feed.stop());
    this.#tell({ done: true, ok: true, text: 'stopped' });
    await this.#settle('status page', this.#http?.close());
    await this.#settle('control socket', this.#control?.close());
    this.#notify.close();
    this.#lock?.release();
    logger.info('stopped');
    this.#tellEnded();
  }

  async #stopClusters(deadlineMs: number): Promise<void> {
    const master = this.#master;
    if (master === null) return;
    const { logger } = this.#options;
    const timer = setTimeout(() => {
      logger.warn(`the stop took longer than ${deadlineMs / 1_000} s: ending the remaining clusters`);
      master.kill();
    }, deadlineMs);
    this.#tell({ done: false, text: `stopping ${master.clusters.length} clusters` });
    await this.#settle(
      'clusters',
      master.stop((cluster) => this.#tell({ done: false, text: `cluster ${cluster.id} stopped` })),
    );
    clearTimeout(timer);
    await this.#settle('agents', master.close());
  }

  /** One part that cannot stop must not keep the others from it. */
  async #settle(part: string, stopping: Promise<unknown> | undefined): Promise<void> {
    try {
      await stopping;
    } catch (error) {
      this.#options.logger.error({ err: error }, `${part}: could not be stopped cleanly`);
    }
  }

  #tell(line: Progress): void {
    for (const listener of this.#stopListeners) listener(line);
  }

  #tellStatus(): void {
    const { verdict, shards } = this.status();
    const ready = shards.filter(({ state }) => state === 'ready').length;
    this.#notify.status(`${verdict}: ${ready}/${shards.length} shards ready`);
  }
}

const NO_TIERS = {
  postgres: { kind: 'off', state: 'off', address: null, version: null, message: null, shards: 0 },
  redis: { kind: 'off', state: 'off', address: null, version: null, message: null },
} as const;
