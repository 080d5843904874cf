import type { Logger } from 'pino';
import {
  CapacityPlanner,
  HistoryTable,
  letterOf,
  limitsNear,
  type CapacityReport,
  type CapacityStatus,
  type Deployment,
} from '../../capacity';
import type { Config } from '../../config';
import { ControlError } from '../../control/contract';
import { memoryRoom } from '../../health';
import type { IncidentDesk } from '../../incidents';
import { systemClock } from '../../clock';
import type { MasterView } from '../../sharding/master';
import { capacityDir } from './dir';
import { capacitySignals } from './incidents';
import { CapacitySources } from './sources';
import type { DataTier } from '../data/tier';
import { WeeklyReport } from './weekly-report';

export interface CapacityOptions {
  config: Config;
  /** null while the master does not exist yet. */
  master: () => MasterView | null;
  /** null: there are no database shards. */
  data: DataTier | null;
  databaseUrls: readonly string[];
  /** Who is told of limits that are near. */
  incidents: Pick<IncidentDesk, 'signal' | 'openIncidents' | 'announce'>;
  logger: Logger;
}

/** A database that does not answer for so long is left out this time, ms. */
const QUERY_TIMEOUT_MS = 15_000;

/** Brings the planner together with what it looks at and whom it tells. */
export class Capacity {
  readonly #planner: CapacityPlanner;
  readonly #incidents: CapacityOptions['incidents'];
  readonly #weekly: WeeklyReport | null;

  constructor({ config, master, data, databaseUrls, incidents, logger }: CapacityOptions) {
    this.#incidents = incidents;
    const { stateDir, capacity, postgres } = config;
    const sources = new CapacitySources({
      stateDir,
      master,
      databaseUrls,
      embeddedPostgres: postgres.shards === undefined,
      databaseLimit: capacity.databaseSize ?? null,
      connect: (shard) => connect(data, shard),
      // Whether it is down is said elsewhere; here only why a figure is missing.
      onError: (what, err) => logger.debug({ err }, `capacity: ${what} cannot be looked at`),
    });
    this.#planner = new CapacityPlanner({
      dir: capacityDir(stateDir),
      table: data === null ? null : new HistoryTable(() => connect(data, 0)),
      observe: () => sources.observe(),
      deployment: () => deploymentOf(config, master()),
      threshold: capacity.threshold,
      horizonMs: capacity.horizon,
      clock: systemClock,
      log: logger,
      onReport: (report) => this.#tell(report),
    });
    const weekly = {
      dir: capacityDir(stateDir),
      tell: () => this.#tellWeekly(config.bot.name),
      onError: (err: Error) => logger.warn({ err }, 'capacity: the weekly report'),
    };
    this.#weekly = capacity.weeklyReport ? new WeeklyReport(weekly) : null;
  }

  get status(): CapacityStatus | null {
    return this.#planner.status;
  }

  async #tellWeekly(bot: string): Promise<boolean> {
    const report = await this.#planner.report();
    if (report === null) return false;
    const severity = report.recommendations.length > 0 ? 'warning' : 'info';
    this.#incidents.announce({ ...letterOf(report, bot), severity });
    return true;
  }

  /** Never rejects. */
  start(): Promise<void> {
    return this.#planner.start();
  }

  stop(): Promise<void> {
    this.#weekly?.stop();
    return this.#planner.stop();
  }

  /** Opens an incident for each limit that is near, and ends it when there is room again. */
  #tell(report: CapacityReport): void {
    const signals = capacitySignals(limitsNear(report), this.#incidents.openIncidents());
    for (const signal of signals) this.#incidents.signal(signal);
    void this.#weekly?.look();
  }

  /** @throws ControlError while there is nothing to tell yet */
  async report(): Promise<CapacityReport> {
    const report = await this.#planner.report();
    if (report === null) throw new ControlError(503, 'Nothing was looked at yet.', 'Ask again in a minute.');
    return report;
  }
}

function connect(data: DataTier | null, shard: number): ReturnType<DataTier['connect']> {
  if (data === null) return Promise.reject(new Error('there are no database shards'));
  return data.connect(shard, QUERY_TIMEOUT_MS);
}

function deploymentOf({ sharding, postgres }: Config, master: MasterView | null): Deployment {
  const clusters = master?.clusters ?? [];
  const known = clusters.flatMap(({ sample }) => sample ?? []);
  const greatest = (of: (sample: (typeof known)[number]) => number): number | null =>
    known.length === 0 ? null : Math.max(...known.map(of));
  const { limitBytes, usedBytes, source } = memoryRoom();
  return {
    totalShards: master?.totalShards ?? null,
    autoShards: sharding.totalShards === 'auto',
    localShards: master?.shards.length ?? 0,
    // As it is: an operator may have scaled the clusters.
    shardsPerCluster: Math.max(0, ...clusters.map(({ shards }) => shards.length)) || sharding.shardsPerCluster,
    clusters: clusters.length,
    maxConcurrency: master?.identify.maxConcurrency ?? 1,
    identifiesLeft: master?.identify.budget?.remaining ?? null,
    clusterBytes: greatest(({ rssBytes }) => rssBytes),
    heapLimitBytes: greatest(({ heapLimitBytes }) => heapLimitBytes),
    freeMemoryBytes: limitBytes - usedBytes,
    memoryLimitedBy: source,
    poolMax: postgres.pool.max,
    databaseShards: postgres.shards?.length ?? postgres.embedded.shards,
    embeddedPostgres: postgres.shards === undefined,
  };
}
