import type { Logger } from 'pino';
import type { Config } from '../../config';
import { connectClient } from '../../data/pool/connect';
import type { RedisSource } from '../../data/redis';
import {
  HealthChecker,
  memoryRoom,
  type CheckPlan,
  type HealthCheck,
  type HealthEventListener,
  type LiveSource,
} from '../../health';
import { BotChecks } from '../../health/checks/bot';
import { CommandCheck } from '../../health/checks/command';
import { DiscordCheck } from '../../health/checks/discord';
import { DiskCheck } from '../../health/checks/disk';
import { EventLoopCheck } from '../../health/checks/event-loop';
import { HttpCheck } from '../../health/checks/http';
import { IdentifyBudgetCheck } from '../../health/checks/identify-budget';
import { MemoryCheck } from '../../health/checks/memory';
import { PostgresCheck } from '../../health/checks/postgres';
import { ShardsCheck } from '../../health/checks/shards';
import { TcpCheck } from '../../health/checks/tcp';
import { Redactor } from '../../logging/redactor';
import { systemClock } from '../../clock';
import { visibleEnv } from '../bot-spec';
import { logEvent } from '../event-log';
import { redisCheck } from './servers';
import { readTls } from '../data/tls';

export interface HealthOptions {
  config: Config;
  live: LiveSource;
  /** REST base URL of Discord. */
  discordApi: string;
  /** One per database shard. */
  databaseUrls: readonly string[];
  /** null: there is no Redis. */
  redis: RedisSource | null;
  env: NodeJS.ProcessEnv;
  secrets: readonly string[];
  logger: Logger;
  /** Absent: changes are logged. */
  emit?: HealthEventListener;
}

type Limits = Pick<Config['health'], 'timeout' | 'failures' | 'successes'>;

const DEFAULT_TIMEOUT_MS = 10_000;

/** The checks that this config and this machine call for. */
export function createHealthChecker(options: HealthOptions): HealthChecker {
  const { config, logger, secrets, databaseUrls } = options;
  const redactor = new Redactor([...secrets, ...databaseUrls.flatMap(passwordIn)]);
  return new HealthChecker({
    plans: [...ownChecks(options), ...customChecks(options)],
    clock: systemClock,
    intervalMs: config.health.interval,
    emit: options.emit ?? ((event) => logEvent(logger, event)),
    redact: (text) => redactor.redact(text),
  });
}

function ownChecks(options: HealthOptions): CheckPlan[] {
  const { config, live } = options;
  const { health } = config;
  const now = (): number => systemClock.now();
  const { discord, shards, postgres, redis, memory, eventLoop, disk, identifyBudget } = health;
  const { ackIntervals, missingEvents, reconnectTime } = shards;
  const own: [{ enabled: boolean } & PartialLimits, HealthCheck[]][] = [
    [discord, [new DiscordCheck({ live, now, ackIntervals, reach: (signal) => reach(options.discordApi, signal) })]],
    [shards, [new ShardsCheck({ live, now, ackIntervals, missingEvents, reconnectMs: reconnectTime })]],
    [postgres, postgresChecks(options)],
    [redis, redisChecks(options)],
    [
      memory,
      [
        new MemoryCheck({
          live,
          room: memoryRoom,
          maxShare: memory.maxShare,
          clusterLimitBytes: memory.clusterLimit ?? null,
        }),
      ],
    ],
    [eventLoop, [new EventLoopCheck({ live, now, maxDelayMs: eventLoop.maxDelay })]],
    [disk, [new DiskCheck({ dir: config.stateDir, minFreeBytes: disk.minFree })]],
    [identifyBudget, [new IdentifyBudgetCheck({ live, now, minShare: identifyBudget.minShare })]],
    [{ enabled: true }, [new BotChecks({ live, now })]],
  ];
  return own.flatMap(([settings, checks]) =>
    settings.enabled ? checks.map((check) => ({ check, ...limits(health, settings) })) : [],
  );
}

function customChecks({ config, env, secrets }: HealthOptions): CheckPlan[] {
  const { health, bot } = config;
  return health.checks.map((settings) => {
    const { name, http, status, tcp, command } = settings;
    const plan = limits(health, settings);
    if (http !== undefined) {
      return { check: new HttpCheck({ name, url: http, ...(status !== undefined && { status }) }), ...plan };
    }
    if (tcp !== undefined) return { check: new TcpCheck({ name, ...hostAndPort(tcp) }), ...plan };
    const argv = commandLine(command ?? '');
    return { check: new CommandCheck({ name, argv, cwd: bot.cwd, env: visibleEnv(env, secrets) }), ...plan };
  });
}

type PartialLimits = { [Key in keyof Limits]?: Limits[Key] | undefined };

function limits(health: Config['health'], own: PartialLimits): Omit<CheckPlan, 'check'> {
  return {
    timeoutMs: own.timeout ?? health.timeout ?? Math.min(DEFAULT_TIMEOUT_MS, health.interval / 2),
    failures: own.failures ?? health.failures,
    successes: own.successes ?? health.successes,
  };
}

function postgresChecks({ config, databaseUrls }: HealthOptions): HealthCheck[] {
  const { tls } = config.postgres;
  const { timeoutMs } = limits(config.health, config.health.postgres);
  return databaseUrls.map((url, shard) => {
    return new PostgresCheck({
      shard,
      timeoutMs,
      connect: (timeout) =>
        connectClient({
          url,
          applicationName: 'botctl health',
          timeout,
          ...(tls !== undefined && { ssl: readTls(tls) }),
        }),
    });
  });
}

function redisChecks({ config, redis }: HealthOptions): HealthCheck[] {
  return redis === null ? [] : [redisCheck(redis, limits(config.health, config.health.redis).timeoutMs)];
}

/** Needs no token and counts for no limit. */
async function reach(api: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(`${api}/v10/gateway`, { signal });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
}

/** Those of the embedded servers are in no config. */
function passwordIn(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { password } = new URL(url);
  try {
    return [decodeURIComponent(password)];
  } catch {
    return [password]; // a % that stands for itself
  }
}

function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

function commandLine(command: string | readonly string[]): [string, ...string[]] {
  if (typeof command === 'string') return ['/bin/sh', '-c', command];
  const [program = '', ...args] = command;
  return [program, ...args];
}
