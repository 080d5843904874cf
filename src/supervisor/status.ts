import type { CapacityStatus } from '../capacity';
import type { HealthScope, HealthView } from '../health';
import {
  CONTROL_API_VERSION,
  type ClusterStatus,
  type RestGuardStatus,
  type ShardStatus,
  type Status,
} from '../control/contract';
import type { DeployStatus } from '../control/deploy-contract';
import type { OutageStatus } from '../control/recovery-contract';
import type { Incident } from '../incidents';
import type { MaintenanceStatus } from '../control/maintenance-contract';
import type { DataSample } from '../ipc/data-sample';
import type { MasterView } from '../sharding/master';
import { buildDataStatus, type DataView } from './data/status';
import { findActions } from './recovery/actions';
import { buildHealthStatus, healthProblems } from './health/status';
import { incidentStatus } from './incidents/status';
import { maintenanceProblems } from './maintenance/status';

import type { SupervisorRecord } from './supervisor-lock';
import type { TierStatus } from './data/tiers';

/** Shards named one by one in a problem; the rest is counted. */
const MAX_NAMED = 5;

export interface StatusInput {
  record: SupervisorRecord;
  entry: string | null;
  stateDir: string;
  tiers: TierStatus;
  /** null: there is none. */
  rest: RestGuardStatus | null;
  /** null: there are no database shards. */
  data: DataView | null;
  /** What the supervisor itself does with them. */
  ownData: DataSample | null;
  /** null while nothing is looked at. */
  health: HealthView | null;
  /** null: the bot is not up yet. */
  deploy: DeployStatus | null;
  /** Discord itself is out; null: it is not. */
  outage: OutageStatus | null;
  /** Those that are not resolved. */
  incidents: readonly Incident[];
  /** null: nothing was looked ahead for yet. */
  capacity: CapacityStatus | null;
  /** null: there are no database shards, or they are not up yet. */
  maintenance: MaintenanceStatus | null;
  /** null while the master does not exist yet. */
  master: MasterView | null;
  /** What the supervisor is busy with before the master exists, or why it cannot go on. */
  message: string | null;
  now: number;
}

/** Puts together what `status` answers. Pure. */
export function buildStatus(input: StatusInput): Status {
  const { record, master, tiers, now } = input;
  const clusters = master === null ? [] : master.clusters.map(clusterStatus);
  const shards = master === null ? [] : master.shards.map(shardStatus);
  const problems = findProblems(input, clusters, shards);
  const well = record.state === 'running' && master !== null && problems.length === 0;
  const status: Omit<Status, 'actions'> = {
    apiVersion: CONTROL_API_VERSION,
    bot: { name: record.name, entry: input.entry, totalShards: master?.totalShards ?? null },
    supervisor: {
      state: record.state,
      pid: record.pid,
      uptimeSeconds: Math.round((now - record.startedAt) / 1_000),
      version: record.version,
      rssBytes: process.memoryUsage.rss(),
      message: input.message,
      http: record.http,
      stateDir: input.stateDir,
      sandbox: record.sandbox,
    },
    clusters,
    shards,
    identify: identifyStatus(master),
    gateway: master?.gate ?? { gate: 'passing', retryAt: null, reason: null },
    outage: input.outage,
    rest: input.rest,
    postgres: tiers.postgres,
    redis: tiers.redis,
    data: input.data === null ? null : buildDataStatus(input.data, samplesOf(input)),
    health: input.health === null ? null : buildHealthStatus(input.health),
    deploy: input.deploy,
    incidents: incidentStatus(input.incidents, now),
    capacity: input.capacity,
    maintenance: input.maintenance,
    verdict: well ? 'well' : 'degraded',
    problems,
  };
  return { ...status, actions: findActions(status, master?.fatal ?? null) };
}

function clusterStatus(cluster: MasterView['clusters'][number]): ClusterStatus {
  const { sample, uptimeMs, shards, ...rest } = cluster;
  return {
    ...rest,
    shards: [...shards],
    rssBytes: sample?.rssBytes ?? null,
    cpuPercent: cluster.cpuPercent === null ? null : Math.round(cluster.cpuPercent * 10) / 10,
    loopDelayP99Ms: sample?.loopDelayP99Ms ?? null,
    uptimeSeconds: uptimeMs === null ? null : Math.round(uptimeMs / 1_000),
  };
}

function shardStatus(shard: MasterView['shards'][number]): ShardStatus {
  return { ...shard };
}

function samplesOf({ master, ownData }: StatusInput): DataSample[] {
  const samples = (master?.clusters ?? []).map(({ sample }) => sample?.data);
  return [...samples, ownData ?? undefined].filter((sample) => sample !== undefined);
}

function identifyStatus(master: MasterView | null): Status['identify'] {
  const budget = master?.identify.budget ?? null;
  return {
    total: budget?.total ?? null,
    remaining: budget?.remaining ?? null,
    reserve: budget?.reserve ?? null,
    resetAt: budget?.resetAt ?? null,
    maxConcurrency: master?.identify.maxConcurrency ?? null,
    queued: master?.identify.queued ?? 0,
    blocked: master?.identify.blocked ?? null,
  };
}

/** What is wrong, most important first. */
function findProblems(input: StatusInput, clusters: ClusterStatus[], shards: ShardStatus[]): string[] {
  const { record, master, tiers, message } = input;
  const problems: string[] = [];
  if (record.state !== 'running') problems.push(message ?? `The supervisor is ${record.state}.`);
  else if (message !== null) problems.push(message);
  if (master === null) return problems;

  if (master.fatal !== null) problems.push(master.fatal);
  for (const cluster of clusters) {
    const said = master.fatal !== null && master.fatal === cluster.message;
    const problem = said ? null : clusterProblem(cluster);
    if (problem !== null) problems.push(problem);
  }
  if (input.outage !== null) problems.push(`${input.outage.text}.`);
  else if (master.gate.gate !== 'passing') {
    problems.push(
      `The gateway refuses connections (${master.gate.reason ?? 'no reason given'}); all shards back off together.`,
    );
  }
  if (master.identify.blocked !== null && master.identify.blocked !== master.fatal) {
    problems.push(`Identifies wait: ${master.identify.blocked}.`);
  }
  const running = new Set(
    clusters.filter(({ state }) => state === 'degraded' || state === 'starting').map(({ id }) => id),
  );
  const waiting = shards.filter(({ state, cluster }) => state !== 'ready' && running.has(cluster));
  if (waiting.length > 0) problems.push(`${plural(waiting.length, 'shard')} not ready: ${summary(waiting)}.`);
  problems.push(...restProblems(input.rest));
  if (tiers.postgres.state === 'down') problems.push(`Postgres is down: ${tiers.postgres.message ?? 'no answer'}.`);
  if (tiers.redis.state === 'down') problems.push(`Redis is down: ${tiers.redis.message ?? 'no answer'}.`);
  if (input.data !== null && tiers.postgres.state === 'up') {
    const { problem } = input.data;
    if (problem !== null) problems.push(`The database shards are not ready: ${problem}.`);
  }
  problems.push(...maintenanceProblems(input.maintenance, input.now));
  problems.push(...healthProblems(input.health, saidAlready(input, clusters, waiting)));
  return problems;
}

/** What the problems name already, so that a check which sees the same does not say it again. */
function saidAlready(
  { master, tiers }: StatusInput,
  clusters: ClusterStatus[],
  waiting: ShardStatus[],
): (check: string, scope: HealthScope) => boolean {
  const shards = new Set(waiting.map(({ id }) => id));
  const down = new Set(clusters.filter((cluster) => clusterProblem(cluster) !== null).map(({ id }) => id));
  for (const { id, shards: own } of clusters) if (down.has(id)) for (const shard of own) shards.add(shard);
  return (check, scope) => {
    switch (scope.kind) {
      case 'shard':
        return shards.has(scope.id);
      case 'cluster':
        return down.has(scope.id);
      case 'database-shard':
        return tiers.postgres.state === 'down';
      case 'redis':
        return tiers.redis.state === 'down';
      case 'bot':
        if (check === 'discord') return master !== null && (master.fatal !== null || master.gate.gate !== 'passing');
        return check === 'identify-budget' && master !== null && master.identify.blocked !== null;
      case 'host':
        return false;
    }
  };
}

function restProblems(rest: RestGuardStatus | null): string[] {
  if (rest === null) return [];
  if (rest.state === 'down') {
    return [`The REST guard is down (${rest.message ?? 'starting'}); the clusters call Discord directly.`];
  }
  const gauges = rest.figures?.gauges;
  if (gauges === undefined) return [];
  if (gauges.unauthorized) return ['Discord refuses the token (401): nothing is sent with it. Set a valid bot.token.'];
  if (gauges.bannedForMs > 0) return ['Discord has banned this address for invalid requests; botctl waits it out.'];
  const stopped = gauges.braked.filter(({ level }) => level === 'stop');
  if (stopped.length === 0) return [];
  const names = stopped.slice(0, MAX_NAMED).map(({ route }) => route);
  const more = stopped.length > names.length ? ' and more' : '';
  return [`REST calls are stopped since Discord refuses them: ${names.join(', ')}${more}.`];
}

function clusterProblem({ id, state, message, lastExit }: ClusterStatus): string | null {
  const why = message ?? lastExit;
  switch (state) {
    case 'hung':
      return `Cluster ${id} is hung and is being replaced.`;
    case 'backoff':
      return `Cluster ${id} died (${why ?? 'unknown cause'}) and starts again soon.`;
    case 'crash-loop':
      return `Cluster ${id} is in a crash loop (${why ?? 'unknown cause'}). See: botctl logs --cluster ${id}`;
    case 'fatal':
      return `Cluster ${id} is held: ${why ?? 'fatal cause'}`;
    case 'waiting':
    case 'booting':
    case 'starting':
      return `Cluster ${id} is starting.`;
    case 'stopping':
    case 'stopped':
      return `Cluster ${id} is ${state}.`;
    case 'ready':
    case 'degraded':
      return null;
  }
}

function summary(shards: ShardStatus[]): string {
  const shown = shards.slice(0, MAX_NAMED).map(({ id, state }) => `${id} ${state}`);
  const more = shards.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
