import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../../config';
import type { HealthChecker, HealthScope, HealthView } from '../../health';
import {
  Incidents,
  createRules,
  metricFigures,
  type BotFacts,
  type CheckFact,
  type IncidentDesk,
  type IncidentType,
  type Look,
  type Occurrence,
  type Outcome,
  type Scope,
} from '../../incidents';
import type { LogConnection } from '../../incidents/log/postgres-log';
import { Redactor } from '../../logging/redactor';
import type { Metrics } from '../../metrics';
import { systemClock } from '../../clock';
import type { MasterEvent } from '../../sharding/events';
import { visibleEnv } from '../bot-spec';
import { createHealthChecker, type HealthOptions } from '../health/health';
import { logIncident, logOutcome } from './log';
import { IncidentMetrics } from './metrics';
import { incidentTargets } from './targets';

export interface IncidentWatchOptions {
  config: Config;
  metrics: Metrics;
  /** null: there is no bot yet. */
  bot: () => BotFacts | null;
  /** What the health checks say; null: nothing yet. */
  health: () => HealthView | null;
  /** A connection to the first database shard; null: there is none. */
  connect: () => Promise<LogConnection> | null;
  env: NodeJS.ProcessEnv;
  secrets: readonly string[];
  logger: Logger;
}

/** Servers and shards are looked at so often in each round of the rules, and this often before it counts. */
const LOOKS_PER_ROUND = 2;
const LOOKS_TO_TELL = 2;
/** A death is told even when the server is up again before anybody looks, ms. */
const DEATH_MS = 5_000;
/** How often the metrics are told, ms. */
const METRICS_MS = 5_000;
/** Close code with which a connection is closed in order to resume it: by us, or because Discord asked for it. */
const CLOSED_TO_RESUME = 4_200;

/** Looked at more often here than by the health checks, so that nobody waits three rounds of those. */
const FAST: ReadonlySet<string> = new Set(['discord', 'shards', 'postgres', 'redis', 'memory', 'disk']);
/** Rules that tell of the end of a process. */
const DEATHS: ReadonlySet<string> = new Set<IncidentType>(['cluster-crash', 'cluster-hung', 'crash-loop']);
/** What rules of their own see to. */
const SEEN_OTHERWISE: ReadonlySet<string> = new Set(['event-loop', 'identify-budget', ...FAST]);

/** The supervisor's part in the incidents: brings them what happens, and looks at what does not tell by itself. */
export class IncidentWatch {
  readonly #options: IncidentWatchOptions;
  readonly #incidents: Incidents;
  readonly #metrics: IncidentMetrics;
  readonly #redactor: Redactor;
  #checker: HealthChecker | null = null;
  #timer: NodeJS.Timeout | null = null;
  #watchedSince = Infinity;
  #lastError = '';

  constructor(options: IncidentWatchOptions) {
    this.#options = options;
    const { config, metrics, logger, env, secrets } = options;
    const { enabled, interval, reopen, detect, rules, notifyGroup, notifyPerMinute, notifyTimeout } = config.incidents;
    this.#redactor = new Redactor(secrets);
    this.#metrics = new IncidentMetrics(metrics);
    this.#incidents = new Incidents({
      bot: config.bot.name,
      clock: systemClock,
      rules: enabled ? createRules(detect, rules) : [],
      intervalMs: interval,
      reopenMs: reopen,
      look: () => this.#look(),
      dir: join(config.stateDir, 'incidents'),
      connect: async () => options.connect(),
      targets: enabled ? incidentTargets(config, visibleEnv(env, secrets)) : [],
      notify: { groupMs: notifyGroup, perMinute: notifyPerMinute, timeoutMs: notifyTimeout },
      redact: (text) => this.#redactor.redact(text),
      onOutcome: (outcome) => this.#onOutcome(outcome),
      onError: (error) => this.#onError(error),
    });
    this.#incidents.onEvent((event) => {
      logIncident(logger, event);
      this.#metrics.onEvent(event);
    });
  }

  get incidents(): Incidents {
    return this.#incidents;
  }

  /** What other parts use. */
  get desk(): IncidentDesk {
    return this.#incidents;
  }

  /** From now on incidents are found; those of the supervisor before go on. */
  async start(): Promise<void> {
    await this.#incidents.start();
    this.#timer = setInterval(() => this.#metrics.tell(this.#incidents.openIncidents()), METRICS_MS).unref();
  }

  /** The bot is being started: from now on its servers and shards are looked at. */
  watch(health: Pick<HealthOptions, 'live' | 'discordApi' | 'databaseUrls' | 'redis'>): void {
    const { config, env, secrets, logger } = this.#options;
    if (!config.incidents.enabled) return;
    const interval = Math.max(MIN_LOOK_MS, config.incidents.interval / LOOKS_PER_ROUND);
    this.#checker = createHealthChecker({
      ...health,
      config: { ...config, health: impatient(config.health, interval) },
      env,
      secrets,
      logger,
      emit: ({ to }) => {
        if (to === 'unhealthy') this.#incidents.lookSoon();
      },
    });
    this.#checker.start();
    this.#watchedSince = systemClock.now();
  }

  onMasterEvent(event: MasterEvent): void {
    const occurrence = occurrenceOf(event, systemClock.now());
    if (occurrence !== null) this.#incidents.occurred(occurrence);
    else if (event.type === 'cluster.fatal' || event.type === 'gateway.gate') this.#incidents.lookSoon();
    else if (event.type === 'cluster.notice' && event.code === 'interactions-lost') this.#noteLoss(event);
  }

  /** An embedded server died; it is being started again. */
  onServerDeath(tier: 'postgres' | 'redis', reason: string): void {
    const type = tier === 'postgres' ? 'database-down' : 'redis-down';
    const text = `the server died: ${reason}`;
    this.#incidents.signal({ type, scope: tier, holds: true, text, forMs: DEATH_MS });
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#checker?.stop();
    await this.#incidents.stop();
  }

  #look(): Look {
    const { bot, health, metrics, config } = this.#options;
    const facts = bot();
    const view = this.#checker?.view() ?? null;
    const seenFor = systemClock.now() - this.#watchedSince;
    return {
      metrics: metricFigures(metrics.queries, () => systemClock.now()),
      bot: facts,
      checks: [
        ...checkFacts(view, (check) => FAST.has(check)),
        ...checkFacts(health(), (check) => !SEEN_OTHERWISE.has(check)),
      ],
      complete: facts !== null && seenFor > config.incidents.interval,
    };
  }

  /** Belongs to what has ended the cluster's process before this one. */
  #noteLoss({ cluster, text }: Extract<MasterEvent, { type: 'cluster.notice' }>): void {
    const death = this.#incidents
      .known()
      .find(({ rule, affected }) => DEATHS.has(rule) && affected.includes(`cluster:${cluster}`));
    if (death !== undefined) this.#incidents.note(death.id, { kind: 'note', text: `cluster ${cluster}: ${text}` });
  }

  #onOutcome(outcome: Outcome): void {
    logOutcome(this.#options.logger, outcome);
    this.#metrics.onOutcome(outcome);
  }

  /** What fails again and again is said once. */
  #onError(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (text === this.#lastError) return;
    this.#lastError = text;
    this.#options.logger.warn({ err: error }, `incidents: ${text}`);
  }
}

/** No round of looks is shorter, ms. */
const MIN_LOOK_MS = 250;

function impatient(health: Config['health'], interval: number): Config['health'] {
  const eager = <T extends { enabled: boolean }>(check: T): T => ({
    ...check,
    enabled: true,
    timeout: undefined,
    failures: undefined,
    successes: undefined,
  });
  return {
    ...health,
    interval,
    timeout: interval,
    failures: LOOKS_TO_TELL,
    successes: LOOKS_TO_TELL,
    discord: eager(health.discord),
    shards: eager(health.shards),
    postgres: eager(health.postgres),
    redis: eager(health.redis),
    memory: eager(health.memory),
    disk: eager(health.disk),
    eventLoop: { ...health.eventLoop, enabled: false },
    identifyBudget: { ...health.identifyBudget, enabled: false },
    checks: [],
  };
}

function checkFacts(view: HealthView | null, wanted: (check: string) => boolean): CheckFact[] {
  return (view?.results ?? [])
    .filter(({ check }) => wanted(check))
    .map(({ check, scope, state, answered, message }) => ({
      check,
      scope: scopeOf(scope),
      failing: state === 'unhealthy',
      answered,
      message,
    }));
}

function scopeOf(scope: HealthScope): Scope {
  if (!('id' in scope)) return scope.kind;
  return scope.kind === 'database-shard' ? `db:${scope.id}` : `${scope.kind}:${scope.id}`;
}

function occurrenceOf(event: MasterEvent, at: number): Occurrence | null {
  switch (event.type) {
    case 'cluster.exited':
      return event.expected ? null : { kind: 'crash', at, cluster: event.cluster, reason: event.reason };
    case 'cluster.hung':
      return { kind: 'hung', at, cluster: event.cluster };
    case 'shard.phase': {
      const { phase, closeCode, cluster, shard } = event;
      if (phase !== 'disconnected' || closeCode === CLOSED_TO_RESUME) return null;
      return { kind: 'disconnect', at, cluster, shard, closeCode: closeCode ?? null };
    }
    default:
      return null;
  }
}
